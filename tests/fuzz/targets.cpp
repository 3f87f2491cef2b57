#include "tests/fuzz/targets.h"

#include <sys/socket.h>

#include <cstdlib>
#include <iostream>

#include "core/error.h"
#include "core/pack/pack.h"
#include "core/pack/pack_documents.h"
#include "core/picture/metadata.h"
#include "core/picture/photo_facts.h"
#include "core/safetensors_header.h"
#include "daemon/api/base64.h"
#include "daemon/api/packs.h"
#include "daemon/api/wire.h"
#include "daemon/config.h"
#include "daemon/decode_messages.h"
#include "daemon/frames.h"
#include "daemon/http_header.h"
#include "daemon/percent.h"
#include "daemon/prompt.h"
#include "daemon/worker_messages.h"

namespace conceptd::fuzz {
namespace {

using namespace std::chrono_literals;

// Not an assertion: those may be compiled out.
void must(bool holds, const char* what) {
  if (holds) return;
  std::cerr << "it does not hold: " << what << std::endl;
  std::abort();
}

// An Error of one of these codes is an answer; anything else that is thrown is a fault.
template <typename Run>
void refusing(std::initializer_list<Code> codes, Run&& run) {
  try {
    run();
  } catch (const Error& error) {
    for (const Code code : codes)
      if (error.code() == code) return;
    must(false, error.what());
  }
}

// What is taken says the same when it is said again.
template <typename Request>
void read_request(const Json& json) {
  refusing({Code::invalid, Code::exhausted}, [&] {
    const auto request = api::decode_request<Request>(json);
    const Json again = api::encode(request);
    must(api::encode(api::decode_request<Request>(again)) == again, "a request comes back as it was");
  });
}

void request(std::string_view bytes) {
  refusing({Code::invalid}, [&] {
    const Json json = parse_json(bytes, "the body");
    read_request<api::AddConcept>(json);
    read_request<api::LearnAgain>(json);
    read_request<api::RollBack>(json);
    read_request<api::GenerateRequest>(json);
    read_request<api::EvaluateConcept>(json);
    read_request<api::PauseRequest>(json);
    read_request<api::HoldNight>(json);
    read_request<api::CreateToken>(json);
    read_request<api::PinConcept>(json);
    read_request<api::Promote>(json);
    read_request<api::RollBackState>(json);
    read_request<api::SetAlias>(json);
    read_request<api::CollectGarbage>(json);
    read_request<api::BackUp>(json);
    read_request<api::ExportPack>(json);
    read_request<api::ImportPack>(json);
  });
}

template <typename Answer>
void read_answer(const Json& json) {
  refusing({Code::invalid}, [&] { (void)api::encode(api::decode_answer<Answer>(json)); });
}

void answer(std::string_view bytes) {
  refusing({Code::invalid}, [&] {
    const Json json = parse_json(bytes, "the daemon's answer");
    read_answer<api::ConceptList>(json);
    read_answer<api::ConceptDetail>(json);
    read_answer<api::History>(json);
    read_answer<api::JobList>(json);
    read_answer<api::Queued>(json);
    read_answer<api::GenerateResponse>(json);
    read_answer<api::Status>(json);
    refusing({Code::invalid, Code::internal}, [&] { (void)api::decode_error(json); });
  });
}

void base64(std::string_view bytes) {
  if (const auto decoded = api::base64_decode(bytes))
    must(api::base64_encode(*decoded) == bytes, "one text, one meaning");
  must(api::base64_decode(api::base64_encode(bytes)) == bytes, "every byte comes back");
}

void picture(std::string_view bytes) {
  refusing({Code::invalid}, [&] {
    const picture::Limits limits{.side_max = 512, .pixels_max = 1 << 16};
    const picture::PhotoFacts facts = picture::facts_of(bytes, limits);
    const picture::Picture decoded = picture::decode(bytes, limits);
    must(decoded.width == facts.info.width && decoded.height == facts.info.height, "the header and the pixels agree");
    must(decoded.rgb.size() == 3u * static_cast<unsigned>(decoded.width * decoded.height), "every pixel is there");
    const std::string kept = picture::without_metadata(bytes, facts.info.format);
    must(picture::decode(kept, limits) == decoded, "without its metadata it shows the same");
    must(picture::without_metadata(kept, facts.info.format) == kept, "and has none any more");
  });
}

void png_texts(std::string_view bytes) {
  refusing({Code::invalid, Code::corrupt, Code::not_found},
           [&] { (void)api::provenance_from(picture::read_png_texts(bytes)); });
}

void prompt(std::string_view bytes) {
  const std::vector<std::string> known{"kettle-7", "mug-2", "a"};
  refusing({Code::invalid, Code::not_found}, [&] {
    const daemon::Prompt read = daemon::read_prompt(bytes, known);
    must(read.references.size() <= known.size(), "each concept is there once");
    must(read.text.size() <= bytes.size(), "nothing is added");
  });
  (void)daemon::suggestions_for(bytes, known);
  (void)daemon::mentions_concepts(bytes);
  for (const std::string& word : daemon::words_of(bytes)) must(!word.empty(), "a word has letters");
}

// A part of a path: decoded once, then a name or not.
void target(std::string_view bytes) {
  const std::string plain = daemon::percent_decoded(bytes);
  must(plain.size() <= bytes.size(), "nothing is added");
  refusing({Code::invalid}, [&] { must(registry::ConceptName::parse(plain).str() == plain, "a name is what it was"); });
  refusing({Code::invalid}, [&] { (void)registry::ConceptReference::parse(plain); });
}

void config(std::string_view bytes) {
  daemon::Config read;
  std::vector<std::string> problems;
  daemon::read_config(read, bytes, "/etc/conceptd", problems);
  must(read.queue_max >= 1 && read.stall_s >= 10 && read.guidance <= 30, "what is taken is in its range");
}

void safetensors(std::string_view bytes) {
  refusing({Code::corrupt}, [&] {
    const SafetensorsHeader header = SafetensorsHeader::read(bytes, "a document");
    std::size_t data = 0;
    for (const auto& [name, entry] : header.entries) {
      std::uint64_t size = entry.dtype.bytes;
      for (const std::int64_t side : entry.shape) size *= static_cast<std::uint64_t>(side);
      must(size == entry.bytes.size(), "a tensor has the bytes of its shape");
      must(entry.bytes.empty() ||
               (entry.bytes.data() >= bytes.data() && entry.bytes.data() + size <= bytes.data() + bytes.size()),
           "a tensor lies inside the document");
      data += entry.bytes.size();
    }
    must(data <= bytes.size(), "tensors do not overlap");
  });
}

// Both ends are here: what is sent is small enough for the socket's buffer.
void frames(std::string_view bytes) {
  daemon::ChannelPair pair = daemon::make_channels(4096);
  bytes = bytes.substr(0, 65'536);
  if (::send(pair.theirs.fd(), bytes.data(), bytes.size(), 0) < 0) return;
  ::shutdown(pair.theirs.fd(), SHUT_WR);
  refusing({Code::corrupt}, [&] {
    std::string payload;
    while (pair.ours.receive(payload, 1s) == daemon::Received::message)
      must(payload.size() <= 4096, "a frame is within its bound");
  });
}

void worker_messages(std::string_view bytes) {
  refusing({Code::corrupt}, [&] { (void)daemon::pack(daemon::unpack_to_worker(bytes)); });
  refusing({Code::corrupt}, [&] { (void)daemon::pack(daemon::unpack_from_worker(bytes)); });
}

void decode_messages(std::string_view bytes) {
  refusing({Code::corrupt}, [&] {
    const picture::Limits limits{.side_min = 8, .side_max = 64};
    const daemon::DecodeAnswer read = daemon::unpack_decode_answer(bytes, limits);
    if (const auto* facts = std::get_if<picture::PhotoFacts>(&read))
      must(facts->info.width >= 8 && facts->info.height <= 64, "facts are within the limits");
  });
  refusing({Code::corrupt}, [&] { must(daemon::unpack_limits(bytes).side_min > 0, "limits make sense"); });
}

void pack_file(std::string_view bytes) {
  refusing({Code::invalid, Code::exhausted}, [&] {
    const pack::OpenedPack opened = pack::inspect_pack(bytes);
    must(!opened.versions.empty(), "a pack holds something");
    for (const pack::PackedVersion& version : opened.versions)
      must(version.delta.size() < bytes.size(), "nothing is there that did not come");
  });
}

// Behind a signature and a digest, where a fuzzer cannot guess its way: whoever signs may bend these.
void pack_documents(std::string_view bytes) {
  refusing({Code::invalid, Code::exhausted}, [&] {
    const std::string said = pack::write_config(pack::read_config(bytes));
    must(pack::write_config(pack::read_config(said)) == said, "a config comes back as it was");
  });
  refusing({Code::invalid, Code::exhausted}, [&] { (void)pack::write_index(pack::read_index(bytes)); });
  refusing({Code::invalid, Code::exhausted}, [&] { (void)pack::write_manifest(pack::read_manifest(bytes)); });
  refusing({Code::invalid, Code::exhausted}, [&] { (void)pack::write_signature(pack::read_signature(bytes)); });
}

// A request's header, and what of it is read by hand.
void http_header(std::string_view bytes) {
  (void)daemon::fault_in_header(bytes);
  const std::string host = daemon::host_name_of(bytes);
  must(host.size() <= bytes.size(), "a host's name is part of what was sent");
  (void)daemon::host_name_of_origin(bytes);
  for (const auto& [name, value] : daemon::query_of(bytes))
    must(name.size() + value.size() <= bytes.size(), "a query has no more than was sent");
  must(daemon::path_of(bytes).find('?') == std::string_view::npos, "a path ends where the query begins");
}

constexpr Target kTargets[] = {{"answer", answer},
                               {"base64", base64},
                               {"config", config},
                               {"decode_messages", decode_messages},
                               {"frames", frames},
                               {"http_header", http_header},
                               {"pack", pack_file},
                               {"pack_documents", pack_documents},
                               {"picture", picture},
                               {"png_texts", png_texts},
                               {"prompt", prompt},
                               {"request", request},
                               {"safetensors", safetensors},
                               {"target", target},
                               {"worker_messages", worker_messages}};

}  // namespace

std::span<const Target> targets() { return kTargets; }

}  // namespace conceptd::fuzz
