#include <spdlog/fmt/fmt.h>

#include <fstream>

#include "core/error.h"
#include "core/file_io.h"
#include "core/picture/picture.h"
#include "learner/evaluate/reports.h"

namespace conceptd::evaluate {

void write_points(const nlohmann::json& summary, const std::filesystem::path& out) {
  constexpr const char* kFigures[] = {"embedding", "fidelity", "wasserstein", "fisher", "seconds", "bytes"};
  std::string text = "way";
  for (const auto* figure : kFigures) text += fmt::format("\t{0}\t{0}_low\t{0}_high", figure);
  for (const auto& [way, figures] : summary.at("ways").items()) {
    text += "\n\"" + way + "\"";
    for (const auto* figure : kFigures) {
      if (figures.contains(figure)) {
        const auto& of = figures.at(figure);
        text += fmt::format("\t{}\t{}\t{}", of.at("value").get<double>(), of.at("low").get<double>(),
                            of.at("high").get<double>());
      } else {
        text += "\tNaN\tNaN\tNaN";
      }
    }
  }
  std::ofstream(out) << text << "\n";
}

void write_sheet(const std::filesystem::path& strips, const std::vector<std::string>& things,
                 const std::vector<std::string>& ways, const std::filesystem::path& out) {
  picture::Picture sheet;
  for (const auto& thing : things) {
    for (const auto& way : ways) {
      const auto path = strips / (thing + "-" + way + ".png");
      const auto strip = picture::decode(read_file(path, 16u << 20));
      if (sheet.width == 0) sheet.width = strip.width;
      if (sheet.width != strip.width) throw Error(Code::conflict, path.string() + " is of another width", "strips");
      sheet.rgb.insert(sheet.rgb.end(), strip.rgb.begin(), strip.rgb.end());
      sheet.height += strip.height;
    }
  }
  if (sheet.height == 0) throw Error(Code::invalid, "name things and ways to show", "sheet-things");
  std::ofstream(out, std::ios::binary) << picture::encode_png(sheet);
}

}  // namespace conceptd::evaluate
