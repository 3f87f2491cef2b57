// What signals mean to the daemon. SIGTERM and SIGINT end it in order, a second one at once: nothing that was
// acknowledged is lost either way. SIGHUP reads the certificate again and touches nothing else; learning and pictures
// go on. SIGPIPE is ignored. Handlers only post.
#pragma once

namespace conceptd::daemon {

class Daemon;

// Before the first thread. Error{unavailable} if there is no descriptor for it.
void catch_signals();
// Waits while the daemon works. Returns the signal that is to end it; from then on another one ends the process at
// once, with 128 and its number.
int wait_for_the_end(Daemon& daemon);

}  // namespace conceptd::daemon
