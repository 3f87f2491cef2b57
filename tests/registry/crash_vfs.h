// A layer under SQLite that announces its writes, truncations, syncs and deletions as durable steps, so that a crash
// test can stop the process inside a commit and not only between two.
#pragma once

namespace conceptd::registry::test {

// Makes the layer SQLite's default for connections opened from now on in this process. Meant for a forked child.
void install_crash_vfs();

}  // namespace conceptd::registry::test
