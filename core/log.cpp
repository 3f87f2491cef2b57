#include "core/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "core/error.h"
#include "core/json.h"

namespace conceptd {
namespace {

// %* in the pattern: the message as a JSON string, so that a quote or a newline in it cannot break the line.
class JsonMessage final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string text(message.payload.data(), message.payload.size());
    const std::string quoted = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
    out.append(quoted.data(), quoted.data() + quoted.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonMessage>(); }
};

}  // namespace

bool is_log_level(const std::string& text) {
  return text == "off" || spdlog::level::from_str(text) != spdlog::level::off;
}

void set_up_logging(const LogSettings& settings) {
  if (!is_log_level(settings.level))
    throw Error(Code::invalid, "no log level is called '" + settings.level + "'", "log.level");
  auto logger = std::make_shared<spdlog::logger>(settings.process, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<JsonMessage>('*');
  if (settings.json)
    formatter->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","process":"%n","message":%*})");
  else
    formatter->set_pattern(settings.process.empty() ? "%Y-%m-%dT%H:%M:%S.%eZ %l: %v"
                                                    : "%Y-%m-%dT%H:%M:%S.%eZ %n %l: %v");
  logger->set_formatter(std::move(formatter));
  logger->set_level(spdlog::level::from_str(settings.level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace conceptd
