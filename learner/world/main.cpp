// conceptd-world: look at the world. Not installed; see usage() below.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "learner/world/bpe.h"
#include "learner/world/sheet.h"
#include "learner/world/world.h"

namespace conceptd::world {
namespace {

constexpr const char* kUsage =
    "conceptd-world grid OUT.png [--mode shapes|scenes|backgrounds|held-out|NAME] [--columns N] [--scale N] [--seed "
    "N]\n"
    "                    [--second-colour P] [--pattern P] [--badge P] [--two-objects P]\n"
    "conceptd-world photos NAME DIR [--count N] [--scale N] [--seed N]   pictures of one held-out thing\n"
    "conceptd-world captions [--count N] [--seed N]\n"
    "conceptd-world held-out                                            the list, as JSON\n"
    "conceptd-world vocabulary DIR                                      vocab.json and merges.txt\n"
    "conceptd-world speed                                               scenes a second\n";

// Positional words and --name value pairs.
struct Arguments {
  std::vector<std::string> words;
  std::map<std::string, std::string> options;
  double number(const std::string& name, double otherwise) const {
    const auto found = options.find(name);
    return found == options.end() ? otherwise : std::stod(found->second);
  }
  int whole(const std::string& name, int otherwise) const { return static_cast<int>(number(name, otherwise)); }
  Breadth breadth() const {
    const Breadth all;
    return {.second_colour = number("second-colour", all.second_colour),
            .pattern = number("pattern", all.pattern),
            .badge = number("badge", all.badge),
            .two_objects = number("two-objects", all.two_objects)};
  }
};

Picture picture(const Scene& scene, int side) {
  Picture rgb(static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * 3);
  render_at(scene, side, rgb);
  return rgb;
}

const HeldOut& find_held_out(const std::string& name) {
  for (const HeldOut& held : held_out()) {
    if (held.name == name) return held;
  }
  throw Error(Code::not_found, "no held-out thing is called " + name);
}

void grid(const Arguments& arguments) {
  const auto given = arguments.options.find("mode");
  const std::string mode = given == arguments.options.end() ? "shapes" : given->second;
  const int columns = arguments.whole("columns", 12), side = kSide * arguments.whole("scale", 1);
  const Breadth breadth = arguments.breadth();
  Random random(static_cast<std::uint64_t>(arguments.whole("seed", 1)));
  Sheet sheet(columns, side);
  const auto row = [&](const std::string& label, const auto& scene) {
    std::vector<Picture> pictures;
    for (int i = 0; i < columns; ++i) pictures.push_back(picture(scene(), side));
    sheet.row(label, pictures);
  };
  if (mode == "shapes") {
    const int all = static_cast<int>(shape_words().size()), first = arguments.whole("first", 0);
    for (int shape = first; shape < std::min(all, first + arguments.whole("rows", all)); ++shape) {
      row(std::string(shape_words()[static_cast<std::size_t>(shape)]),
          [&] { return photograph(sample_instance(random, breadth, shape), random); });
    }
  } else if (mode == "scenes") {
    for (int i = 0; i < 12; ++i) row("", [&] { return sample_scene(random, breadth); });
  } else if (mode == "backgrounds") {
    for (int i = 0; i < static_cast<int>(background_words().size()); ++i) {
      row(std::string(background_words()[static_cast<std::size_t>(i)]),
          [&] { return photograph(sample_instance(random, breadth), random, i); });
    }
  } else if (mode == "held-out") {
    for (const HeldOut& held : held_out()) row(held.name, [&] { return photograph(held.instance, random); });
  } else {
    const HeldOut& held = find_held_out(mode);
    for (int i = 0; i < 4; ++i) row(held.name, [&] { return photograph(held.instance, random); });
  }
  sheet.write(arguments.words.at(1));
}

void photos(const Arguments& arguments) {
  const HeldOut& held = find_held_out(arguments.words.at(1));
  const std::filesystem::path folder = arguments.words.at(2);
  const int side = kSide * arguments.whole("scale", 4);
  std::filesystem::create_directories(folder);
  Random random(static_cast<std::uint64_t>(arguments.whole("seed", 1)));
  for (int i = 0; i < arguments.whole("count", 4); ++i) {
    const std::string file = (folder / (held.name + "-" + std::to_string(i + 1) + ".png")).string();
    write_png(file, side, side, picture(photograph(held.instance, random), side));
  }
}

void captions(const Arguments& arguments) {
  Random random(static_cast<std::uint64_t>(arguments.whole("seed", 1)));
  for (int i = 0; i < arguments.whole("count", 20); ++i)
    std::cout << caption(sample_scene(random, arguments.breadth()), random) << '\n';
}

void list_held_out() {
  const auto word = [](auto words, int index) { return std::string(words[static_cast<std::size_t>(index)]); };
  std::cout << "[\n";
  for (const HeldOut& held : held_out()) {
    const Instance& instance = held.instance;
    const auto colour = [](const Colour& c) {
      char text[16];
      const auto byte = [](float value) { return static_cast<unsigned>(value * 255 + .5f); };
      std::snprintf(text, sizeof text, "#%02x%02x%02x", byte(c.rgb[0]), byte(c.rgb[1]), byte(c.rgb[2]));
      return std::string(text);
    };
    std::cout << R"(  {"name": ")" << held.name << R"(", "shape": ")" << word(shape_words(), instance.shape)
              << R"(", "trained_shape": )" << (instance.shape < trained_shapes() ? "true" : "false")
              << R"(, "first": ")" << colour(instance.first) << R"(", "second": ")" << colour(instance.second)
              << R"(", "pattern": ")" << word(pattern_words(), instance.pattern) << R"(", "badge": ")"
              << word(badge_words(), instance.badge) << R"(", "description": ")" << describe(instance) << "\"}"
              << (&held == &held_out().back() ? "\n" : ",\n");
  }
  std::cout << "]\n";
}

void write_vocabulary(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const std::vector<std::string> words = tokenizer_words();
  const BpeVocabulary bpe = make_bpe(words);
  for (const auto& [name, text] : {std::pair{"vocab.json", &bpe.vocab_json}, {"merges.txt", &bpe.merges_txt}}) {
    std::ofstream out(folder / name, std::ios::binary);
    out << *text;
    if (!out.flush()) throw Error(Code::unavailable, "writing " + (folder / name).string());
  }
}

void speed() {
  constexpr int kScenes = 3000;
  Random random(1);
  Picture rgb(kSide * kSide * 3);
  const std::clock_t start = std::clock();  // of this process: the machine may be shared
  for (int i = 0; i < kScenes; ++i) render(sample_scene(random, {}), rgb);
  const double spent_s = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  std::printf("%.0f scenes/s on one core\n", kScenes / spent_s);
}

int run(int count, char** values) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string text = values[i];
    if (!text.starts_with("--")) {
      arguments.words.push_back(text);
    } else if (i + 1 < count) {
      arguments.options[text.substr(2)] = values[++i];
    }
  }
  const std::string command = arguments.words.empty() ? "" : arguments.words[0];
  const std::size_t words = arguments.words.size();
  if (command == "grid" && words == 2) return grid(arguments), 0;
  if (command == "photos" && words == 3) return photos(arguments), 0;
  if (command == "captions" && words == 1) return captions(arguments), 0;
  if (command == "held-out" && words == 1) return list_held_out(), 0;
  if (command == "vocabulary" && words == 2) return write_vocabulary(arguments.words[1]), 0;
  if (command == "speed" && words == 1) return speed(), 0;
  std::cerr << kUsage;
  return 2;
}

}  // namespace
}  // namespace conceptd::world

int main(int count, char** values) {
  try {
    return conceptd::world::run(count, values);
  } catch (const std::exception& error) {
    std::cerr << "conceptd-world: " << error.what() << '\n';
    return 1;
  }
}
