#include "daemon/http_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstring>
#include <list>
#include <optional>
#include <thread>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "daemon/http_session.h"

namespace conceptd::daemon {
namespace {

namespace asio = boost::asio;
using Protocol = HttpSession::Protocol;
using boost::system::error_code;

constexpr std::chrono::milliseconds kOutOfDescriptors{200};

// A socket whose daemon has died refuses; one that does anything else is somebody's.
bool is_somebodys(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.native().size() >= sizeof address.sun_path) return false;  // bind() will say so
  std::memcpy(address.sun_path, socket.c_str(), socket.native().size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw Error(Code::unavailable, "there is no socket to be had: " + std::string(std::strerror(errno)));
  const int refused = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  ::close(fd);
  return refused != ECONNREFUSED && refused != ENOENT;
}

// The file, whatever it is called: device and inode.
using FileId = std::pair<dev_t, ino_t>;
std::optional<FileId> id_of(const std::filesystem::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? std::optional(FileId{info.st_dev, info.st_ino}) : std::nullopt;
}

}  // namespace

struct HttpServer::Impl {
  Impl(HttpHost hosted, HttpLimits limited)
      : host(std::move(hosted)), limits(limited), pool(static_cast<std::size_t>(limits.handler_threads)) {}

  void accept() {
    acceptor.async_accept([this](error_code error, Protocol::socket connection) {
      if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
      if (error) {
        spdlog::warn("accepting a connection: {}", error.message());
        pause.expires_after(kOutOfDescriptors);
        pause.async_wait([this](error_code stopped) {
          if (!stopped) accept();
        });
        return;
      }
      std::erase_if(sessions, [](const auto& session) { return session.expired(); });
      if (static_cast<int>(sessions.size()) < limits.connections_max) {
        auto session = std::make_shared<HttpSession>(std::move(connection), host, limits, pool);
        sessions.push_back(session);
        session->read_request();
      }
      accept();
    });
  }

  void end_when_idle(std::chrono::steady_clock::time_point until) {
    std::erase_if(sessions, [](const auto& session) { return session.expired(); });
    if (sessions.empty() || std::chrono::steady_clock::now() >= until) return io.stop();
    pause.expires_after(std::chrono::milliseconds(10));
    pause.async_wait([this, until](error_code) { end_when_idle(until); });
  }

  const HttpHost host;
  const HttpLimits limits;
  asio::thread_pool pool;
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  Protocol::acceptor acceptor{io};
  asio::steady_timer pause{io};
  std::list<std::weak_ptr<HttpSession>> sessions;  // touched by the thread alone
  std::filesystem::path path;
  std::optional<FileId> made;  // by listen(), at path
  std::thread thread;
};

HttpServer::HttpServer(HttpHost host, HttpLimits limits) : impl_(std::make_unique<Impl>(std::move(host), limits)) {}

HttpServer::~HttpServer() {
  stop_accepting();
  stop(std::chrono::milliseconds(0));
}

void HttpServer::listen(const std::filesystem::path& socket) {
  std::error_code ignored;
  std::filesystem::create_directories(socket.parent_path(), ignored);
  if (std::filesystem::is_socket(socket, ignored)) {
    if (is_somebodys(socket))
      throw Error(Code::busy,
                  "another daemon listens at " + socket.string() + "; stop it, or give this one another --socket",
                  "socket");
    std::filesystem::remove(socket, ignored);
  }
  error_code error;
  impl_->acceptor.open(Protocol(), error);
  if (!error) impl_->acceptor.bind(Protocol::endpoint(socket.string()), error);
  if (!error && ::chmod(socket.c_str(), 0660) != 0) error = {errno, boost::system::system_category()};
  if (!error) impl_->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) throw Error(Code::unavailable, "listening on " + socket.string() + ": " + error.message());
  impl_->path = socket;
  impl_->made = id_of(socket);
  impl_->accept();
  impl_->thread = std::thread([this] { impl_->io.run(); });
}

void HttpServer::stop_accepting() {
  if (!impl_->thread.joinable()) return;
  asio::post(impl_->io, [this] {
    if (!impl_->acceptor.is_open()) return;
    // Before the close, after which the inode's number may be another file's.
    std::error_code ignored;
    if (impl_->made && id_of(impl_->path) == impl_->made) std::filesystem::remove(impl_->path, ignored);
    error_code failed;
    impl_->acceptor.close(failed);
    impl_->pause.cancel();
    for (const auto& weak : impl_->sessions)
      if (const auto session = weak.lock()) session->end_soon();
  });
}

void HttpServer::stop(std::chrono::milliseconds patience) {
  if (!impl_->thread.joinable()) return;
  impl_->pool.join();  // handlers end by themselves; what they answered is still to be written
  const auto until = std::chrono::steady_clock::now() + patience;
  asio::post(impl_->io, [this, until] { impl_->end_when_idle(until); });
  impl_->thread.join();
}

}  // namespace conceptd::daemon
