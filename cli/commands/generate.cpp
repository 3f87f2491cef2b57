#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/text.h"
#include "cli/user_files.h"
#include "core/digest.h"
#include "daemon/api/limits.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::hours kPatience{1};

struct Options {
  api::GenerateRequest request;
  std::string output;
  std::string size;
};

void set_size(api::GenerateRequest& request, const std::string& size) {
  int width = 0, height = 0;
  char rest = 0;
  if (std::sscanf(size.c_str(), "%5dx%5d%c", &width, &height, &rest) != 2)
    throw Error(Code::invalid, "--size is WIDTHxHEIGHT, as in 64x64", "size");
  request.width = width, request.height = height;
}

// out.png, or out-1.png, out-2.png... for several; in a folder, or without -o, a name made of the seed.
fs::path path_for(const std::string& output, std::int64_t seed, std::size_t index, std::size_t count) {
  const fs::path own = "conceptd-" + std::to_string(seed) + ".png";
  if (output.empty()) return own;
  const fs::path path = output;
  std::error_code ignored;
  if (output.ends_with("/") || fs::is_directory(path, ignored)) return path / own;
  if (count == 1) return path;
  return path.parent_path() / (path.stem().string() + "-" + std::to_string(index + 1) + path.extension().string());
}

void write_picture(const Context& context, const fs::path& path, const std::string& bytes) {
  if (path == "-") {
    context.out << bytes << std::flush;
    return;
  }
  write_output(path, bytes, "output");
}

int generate(const Context& context, Options& options) {
  if (!options.size.empty()) set_size(options.request, options.size);
  if (options.output == "-" && (options.request.count.value_or(1) != 1 || context.json))
    throw Error(Code::invalid, "-o - is for one picture, and not with --json", "output");
  // A picture may take minutes: what would keep it from being written is found before.
  const auto count = static_cast<std::size_t>(std::clamp(options.request.count.value_or(1), 1, api::kCountMax));
  for (std::size_t i = 0; i < count && options.output != "-"; ++i)
    prepare_output(path_for(options.output, options.request.seed.value_or(0), i, count), "output");
  const auto answer = api::decode_answer<api::GenerateResponse>(
      context.client().post("generate", api::encode(options.request), kPatience));
  Json report = api::encode(answer);
  report["images"] = Json::array();
  std::ostream& say = options.output == "-" ? context.err : context.out;
  for (std::size_t i = 0; i < answer.images.size(); ++i) {
    const api::GeneratedImage& image = answer.images[i];
    const fs::path path = path_for(options.output, image.seed, i, answer.images.size());
    write_picture(context, path, image.png.data);
    report["images"].push_back(
        {{"path", path.string()}, {"seed", image.seed}, {"sha256", Digest::of(image.png.data).hex()}});
    if (!context.json) say << path.string() << "  seed " << image.seed << "\n";
  }
  for (const std::string& warning : answer.warnings) context.err << "warning: " << printable(warning) << "\n";
  if (context.json) {
    context.print(report);
    return 0;
  }
  say << "state " << answer.state;
  for (const api::UsedConcept& used : answer.concepts)
    say << ", " << printable(used.name) << " version " << used.version;
  if (answer.concepts.empty()) say << ", no concept";
  if (answer.consolidated) say << ", by a night's consolidated delta";
  say << "; " << printable(answer.sampler) << ", " << count_of(answer.steps, "step") << ", guidance "
      << human_number(answer.guidance) << ", " << answer.width << "x" << answer.height << ", "
      << human_seconds(answer.seconds) << "\n";
  return 0;
}

}  // namespace

void define_generate(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("generate", "Make a picture: conceptctl generate \"a <kettle-7> on the beach\"");
  command
      ->add_option("prompt", options->request.prompt, "What to show; <name> is a concept, <name@3> one version of it")
      ->required()
      ->type_name("PROMPT");
  command->add_option("-o,--output", options->output, "File, folder, or - for stdout")->type_name("FILE");
  command->add_option("--seed", options->request.seed, "The same seed gives the same picture");
  command->add_option("--steps", options->request.steps, "Of sampling");
  command->add_option("--guidance", options->request.guidance, "How closely to follow the prompt");
  command->add_option("--gate-bias", options->request.gate_bias,
                      "Of Perfusion's gates: less shows more of the thing and less of the prompt (its own: 0.7)");
  command->add_option("--gate-temperature", options->request.gate_temperature, "How softly they open (0.15)");
  command
      ->add_option("--key-lock", options->request.key_lock,
                   "What Perfusion's concepts look from: local, their own words; global, the whole prompt with class "
                   "words in their places")
      ->type_name("local|global");
  command->add_option(
      "--concept-attention", options->request.concept_attention,
      "auto: where a prompt names two or more concepts, guide the picture so that none is left out; off");
  command->add_flag_callback(
      "--no-consolidated", [options] { options->request.consolidated = false; },
      "Draw two or more concepts from their own deltas, not from what a night made of them");
  command->add_option("--count", options->request.count, "How many pictures");
  command->add_option("--size", options->size, "As in 64x64 (default: the base model's)")->type_name("WxH");
  command->add_option("--sampler", options->request.sampler, "conceptctl status lists them");
  command->add_option("--negative", options->request.negative_prompt, "What not to show")->type_name("PROMPT");
  command->callback([&context, options] { context.run = [&context, options] { return generate(context, *options); }; });
}

}  // namespace conceptd::cli
