#include "daemon/http_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <list>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "core/net/tls.h"
#include "daemon/http_session.h"
#include "daemon/threads.h"

namespace conceptd::daemon {
namespace {

namespace asio = boost::asio;
using Protocol = net::Stream::Protocol;
using Acceptor = asio::basic_socket_acceptor<Protocol>;
using boost::system::error_code;

constexpr std::chrono::milliseconds kOutOfDescriptors{200}, kEndLooked{10};
constexpr std::chrono::seconds kRefusalsLoggedEvery{60};

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

LocalUser user_at(int fd) {
  LocalUser user{.uid = static_cast<uid_t>(-1), .name = "unknown"};
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return user;
  user = {.uid = peer.uid, .groups = {peer.gid}, .name = "uid " + std::to_string(peer.uid)};
  std::array<gid_t, 1024> others;
  size = sizeof others;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, others.data(), &size) == 0)
    user.groups.insert(user.groups.end(), others.begin(), others.begin() + size / sizeof(gid_t));
  std::array<char, 4096> room;
  passwd entry{}, *found = nullptr;
  if (::getpwuid_r(peer.uid, &entry, room.data(), room.size(), &found) == 0 && found) user.name = found->pw_name;
  return user;
}

HttpPeer peer_of(Protocol::socket& socket, bool over_tcp) {
  if (!over_tcp) {
    LocalUser user = user_at(socket.native_handle());
    std::string address = "uid " + std::to_string(user.uid);
    return {.address = std::move(address), .local = std::move(user)};
  }
  error_code error;
  const Protocol::endpoint far = socket.remote_endpoint(error);
  asio::ip::tcp::endpoint address;
  if (error || far.size() > address.capacity()) return {.address = "unknown"};
  std::memcpy(address.data(), far.data(), far.size());
  return {.address = address.address().to_string()};
}

}  // namespace

struct HttpServer::Impl {
  using Time = std::chrono::steady_clock::time_point;

  struct Listener {
    explicit Listener(asio::io_context& io) : acceptor(io) {}
    Acceptor acceptor;
    bool waiting = false;  // for a client
    Time again{};          // no client before
    bool over_tcp = false;
    net::TlsContext tls{};  // null: plain
    std::list<std::weak_ptr<HttpSession>> sessions{};
    Time logged{};  // that it is full
  };

  Impl(HttpHost hosted, HttpLimits limited)
      : host(std::move(hosted)), limits(limited), pool(limits.handler_threads), slow(limits.slow_threads) {}

  // What throws in a handler (there is no memory, above all) ends the connection that it was for. What concerns all of
  // them is therefore no handler's: it is looked at here whenever io.stop() asks for it, without a need for memory.
  void run() {
    for (;;) {
      io.restart();  // first, so that no stop() is overlooked
      if (closing) close_listeners();
      const bool ending = ends_by.load() != Time::max();
      if (ending && (all_idle() || std::chrono::steady_clock::now() >= ends_by.load())) return;
      try {
        if (ending)
          io.run_for(kEndLooked);
        else if (wait_for_clients())
          io.run();
        else
          io.run_for(kOutOfDescriptors);
      } catch (const std::exception& error) {
        spdlog::error("a connection has ended: {}", error.what());
      }
    }
  }

  // From here on the listener belongs to the thread.
  void begin(std::shared_ptr<Listener> listener) {
    asio::post(io, [this, one = std::list{std::move(listener)}]() mutable {
      listeners.splice(listeners.end(), one);
      io.stop();
    });
  }

  // True: each of them waits for one.
  bool wait_for_clients() {
    bool all = true;
    for (const auto& listener : listeners) {
      if (listener->waiting || !listener->acceptor.is_open()) continue;
      try {
        if (std::chrono::steady_clock::now() < listener->again)
          all = false;
        else
          accept(*listener);
      } catch (const std::exception&) {
        all = false;
      }
    }
    return all;
  }

  void accept(Listener& listener) {
    listener.acceptor.async_accept([this, &listener](error_code error, Protocol::socket connection) {
      listener.waiting = false;
      if (error == asio::error::operation_aborted || !listener.acceptor.is_open()) return;
      if (error) {
        listener.again = std::chrono::steady_clock::now() + kOutOfDescriptors;
        io.stop();
        spdlog::warn("accepting a connection: {}", error.message());
        return;
      }
      welcome(listener, std::move(connection));
      accept(listener);
    });
    listener.waiting = true;
  }

  void welcome(Listener& listener, Protocol::socket connection) {
    HttpPeer peer = peer_of(connection, listener.over_tcp);
    std::erase_if(listener.sessions, [](const auto& session) { return session.expired(); });
    const auto of_peer = std::count_if(listener.sessions.begin(), listener.sessions.end(), [&](const auto& weak) {
      const auto session = weak.lock();
      return session && session->peer().address == peer.address;
    });
    if (static_cast<int>(listener.sessions.size()) >= limits.connections_max ||
        of_peer >= limits.connections_per_peer_max)
      return say_full(listener, peer, of_peer);
    if (listener.over_tcp) {
      const int on = 1;
      ::setsockopt(connection.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    auto session = std::make_shared<HttpSession>(
        std::move(connection), listener.tls, std::move(peer),
        HttpSession::Lent{.host = host, .limits = limits, .handlers = pool.io(), .slow = slow.io(), .bodies = bodies});
    listener.sessions.push_back(session);
    session->start();
  }

  // The connection is closed; a flood of them must not become a flood of lines.
  void say_full(Listener& listener, const HttpPeer& peer, std::int64_t of_peer) {
    const Time now = std::chrono::steady_clock::now();
    if (listener.logged != Time{} && now - listener.logged < kRefusalsLoggedEvery) return;
    listener.logged = now;
    spdlog::warn("a connection of {} was closed: {} of {} are open, {} of {} of this peer", peer.address,
                 listener.sessions.size(), limits.connections_max, of_peer, limits.connections_per_peer_max);
  }

  // Clients that wait for a request lose their connection, the others after their answer. Twice is once.
  void close_listeners() {
    // Before the close, after which the inode's number may be another file's.
    std::error_code ignored;
    if (made && id_of(path) == made) std::filesystem::remove(path, ignored);
    made.reset();
    for (const auto& listener : listeners) {
      error_code failed;
      listener->acceptor.close(failed);
      for (const auto& weak : listener->sessions)
        if (const auto session = weak.lock()) session->end_soon();
    }
  }

  bool all_idle() {
    return std::all_of(listeners.begin(), listeners.end(), [](const auto& listener) {
      return std::all_of(listener->sessions.begin(), listener->sessions.end(),
                         [](const auto& session) { return session.expired(); });
    });
  }

  const HttpHost host;
  const HttpLimits limits;
  std::atomic<std::size_t> bodies = 0;
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  HandlerPool pool, slow;  // after io, which the sessions need that a request of its queue holds
  std::list<std::shared_ptr<Listener>> listeners;  // touched by the thread alone
  std::filesystem::path path;
  std::optional<FileId> made;  // by listen(), at path
  std::optional<net::TlsFiles> tls_files;
  // Said by others, then io.stop().
  std::atomic<bool> closing = false;
  std::atomic<Time> ends_by = Time::max();
  // The last, as it needs all the others.
  std::thread thread = start_thread("connections", [this] { run(); });
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
  const asio::local::stream_protocol::endpoint at(socket.string());
  auto listener = std::make_shared<Impl::Listener>(impl_->io);
  error_code error;
  listener->acceptor.open(at.protocol(), error);
  if (!error) listener->acceptor.bind(at, error);
  if (!error && ::chmod(socket.c_str(), 0660) != 0) error = {errno, boost::system::system_category()};
  if (!error) listener->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) throw Error(Code::unavailable, "listening on " + socket.string() + ": " + error.message());
  impl_->path = socket;
  impl_->made = id_of(socket);
  impl_->begin(std::move(listener));
}

std::uint16_t HttpServer::listen_tcp(const net::HostPort& at, const std::optional<net::TlsFiles>& tls) {
  auto listener = std::make_shared<Impl::Listener>(impl_->io);
  listener->over_tcp = true;
  if (tls) listener->tls = net::server_tls(*tls);
  error_code error;
  const auto address = asio::ip::make_address(at.host, error);
  const asio::ip::tcp::endpoint here(address, at.port);
  if (!error) listener->acceptor.open(here.protocol(), error);
  if (!error) listener->acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) listener->acceptor.bind(here, error);
  if (!error) listener->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    throw Error(error == asio::error::address_in_use ? Code::busy : Code::unavailable,
                "listening on " + net::to_string(at) + ": " + error.message(), "tcp.listen");
  asio::ip::tcp::endpoint bound;
  const Protocol::endpoint local = listener->acceptor.local_endpoint();
  std::memcpy(bound.data(), local.data(), local.size());
  impl_->tls_files = tls;
  impl_->begin(std::move(listener));
  return bound.port();
}

void HttpServer::reload_tls() {
  if (!impl_->tls_files) return;
  asio::post(impl_->io, [this, tls = net::server_tls(*impl_->tls_files)] {
    for (const auto& listener : impl_->listeners)
      if (listener->over_tcp) listener->tls = tls;
  });
}

void HttpServer::stop_accepting() {
  impl_->closing = true;
  impl_->io.stop();
}

void HttpServer::stop(std::chrono::milliseconds patience) {
  if (!impl_->thread.joinable()) return;
  impl_->slow.join();
  impl_->pool.join();  // handlers end by themselves; what they answered is still to be written
  impl_->ends_by = std::chrono::steady_clock::now() + patience;
  impl_->io.stop();
  impl_->thread.join();
}

}  // namespace conceptd::daemon
