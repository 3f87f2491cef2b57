// Goal: the rules of CONTRIBUTING.md that a machine can see, held for every file of the tree. Method: walk it, collect
// every offence of a rule, and show them all at once as path:line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace conceptd {
namespace {

namespace fs = std::filesystem;
using Offences = std::vector<std::string>;

struct File {
  std::string path;  // relative to the root of the tree
  std::vector<std::string> lines;
  bool is(std::string_view extension) const { return path.ends_with(extension); }
  bool is_code() const { return is(".cpp") || is(".h"); }
  bool under(const std::string& folder) const { return path.starts_with(folder + "/"); }
  std::string at(std::size_t line) const { return path + ":" + std::to_string(line + 1); }
};

const fs::path kRoot = CONCEPTD_SOURCE_DIR;

std::vector<File> read_tree() {
  static const std::set<std::string> kSkippedFolders{"models", "goldens", ".git"};
  static const std::set<std::string> kExtensions{".cpp", ".h", ".sql", ".cmake", ".txt", ".md", ".json", ".sh"};
  std::vector<File> files;
  for (auto it = fs::recursive_directory_iterator(kRoot); it != fs::recursive_directory_iterator(); ++it) {
    const std::string name = it->path().filename();
    if (it->is_directory() &&
        (kSkippedFolders.contains(name) || name.starts_with("build") || (name.starts_with('.') && name != ".ci"))) {
      it.disable_recursion_pending();
    } else if (it->is_regular_file() && kExtensions.contains(it->path().extension())) {
      File file{fs::relative(it->path(), kRoot).generic_string(), {}};
      std::ifstream in(it->path());
      for (std::string line; std::getline(in, line);) file.lines.push_back(line);
      files.push_back(std::move(file));
    }
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.path < b.path; });
  return files;
}

const std::vector<File>& tree() {
  static const std::vector<File> files = read_tree();
  return files;
}

std::string shown(const Offences& offences) {
  std::string text;
  for (const std::string& offence : offences) text += "\n  " + offence;
  return text;
}

#define EXPECT_NONE(offences) EXPECT_TRUE((offences).empty()) << shown(offences)

// One offence for each line that matches, in the files that are asked for.
Offences lines_that_match(const std::regex& pattern, const std::function<bool(const File&)>& asked) {
  Offences offences;
  for (const File& file : tree())
    if (asked(file))
      for (std::size_t i = 0; i < file.lines.size(); ++i)
        if (std::regex_search(file.lines[i], pattern)) offences.push_back(file.at(i) + ": " + file.lines[i]);
  return offences;
}

// What each room may include, itself aside. A room not named here may be included by nobody and may include nothing.
const std::map<std::string, std::set<std::string>> kFloors{
    {"core", {}},
    {"core/net", {"core"}},
    {"core/pack", {"core"}},
    {"core/picture", {"core"}},
    {"registry", {"core"}},
    {"diffusion", {"core", "core/picture"}},
    {"daemon/api", {"core"}},
    {"learner/world", {"core", "core/picture"}},
    {"learner", {"core", "core/picture", "diffusion", "learner/world"}},
    {"cli", {"core", "core/net", "core/pack", "core/picture", "daemon/api"}},
    {"daemon",
     {"core", "core/net", "core/pack", "core/picture", "registry", "diffusion", "daemon/api", "learner/world",
      "learner"}},
};

// The longest room that the path lies in; empty for tests and benches, which may see everything.
std::string room_of(const std::string& path) {
  std::string found;
  for (const auto& [room, below] : kFloors)
    if (path.starts_with(room + "/") && room.size() > found.size()) found = room;
  return found;
}

TEST(Tidy, ReadsTheTree) {
  EXPECT_GT(tree().size(), 50u);
  EXPECT_TRUE(std::any_of(tree().begin(), tree().end(), [](const File& f) { return f.path == "core/error.h"; }));
}

TEST(Tidy, AnIncludeGoesDownOrStays) {
  static const std::regex kInclude("^\\s*#\\s*include\\s*\"([^\"]+)\"");
  Offences offences;
  for (const File& file : tree()) {
    const std::string from = room_of(file.path);
    if (!file.is_code() || from.empty()) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      std::smatch match;
      if (!std::regex_search(file.lines[i], match, kInclude)) continue;
      const std::string to = room_of(match[1]);
      if (to.empty())
        offences.push_back(file.at(i) + ": \"" + match[1].str() + "\" is in no room");
      else if (to != from && !kFloors.at(from).contains(to))
        offences.push_back(file.at(i) + ": " + from + " may not see " + to);
    }
  }
  EXPECT_NONE(offences);
}

TEST(Tidy, LibrariesStayInTheirRooms) {
  const auto code_outside = [](std::set<std::string> rooms) {
    return
        [rooms](const File& f) { return f.is_code() && !room_of(f.path).empty() && !rooms.contains(room_of(f.path)); };
  };
  EXPECT_NONE(lines_that_match(std::regex("#include.*[<\"](torch/|ATen/|c10/|diffusion/torch\\.h)"),
                               code_outside({"diffusion", "learner", "daemon"})));
  EXPECT_NONE(lines_that_match(std::regex("#include.*<torch/torch\\.h>"),
                               [](const File& f) { return f.is_code() && f.path != "diffusion/torch.h"; }));
  EXPECT_NONE(lines_that_match(std::regex("#include.*sqlite3\\.h"), code_outside({"registry"})));
  EXPECT_NONE(lines_that_match(std::regex("#include.*<absl/"), [](const File& f) {
    return f.is_code() && !room_of(f.path).empty() && f.path != "core/time_zone.cpp";
  }));
}

TEST(Tidy, OnlyFileIoMakesThingsDurable) {
  EXPECT_NONE(lines_that_match(std::regex("\\b(fsync|fdatasync|unlink|rename|unlinkat|renameat|remove_all)\\("),
                               [](const File& f) {
                                 return f.is_code() && (f.under("core") || f.under("registry") || f.under("daemon")) &&
                                        !f.path.starts_with("core/file_io.");
                               }));
}

TEST(Tidy, AFileIsShortOrSaysWhyNot) {
  Offences offences;
  for (const File& file : tree()) {
    if (!file.is_code() || file.lines.size() <= 500) continue;
    const auto head_end = file.lines.begin() + 10;
    const bool excused = std::any_of(file.lines.begin(), head_end, [](const std::string& line) {
      return line.find("Longer than 500 lines because ") != std::string::npos;
    });
    if (!excused) offences.push_back(file.path + ": " + std::to_string(file.lines.size()) + " lines");
  }
  EXPECT_NONE(offences);
}

TEST(Tidy, LinesAre120ColumnsAndClean) {
  Offences offences;
  for (const File& file : tree()) {
    const bool wrapped =
        file.is_code() || file.is(".sql") || file.is(".cmake") || file.path.ends_with("CMakeLists.txt");
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      const auto columns = std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; });
      if (wrapped && columns > 120) offences.push_back(file.at(i) + ": " + std::to_string(columns) + " columns");
      if (line.find('\t') != std::string::npos) offences.push_back(file.at(i) + ": a tab");
      if (!line.empty() && (line.back() == ' ' || line.back() == '\r'))
        offences.push_back(file.at(i) + ": trailing space");
    }
  }
  EXPECT_NONE(offences);
}

TEST(Tidy, AHeaderIntroducesItselfAndIsReadOnce) {
  Offences offences;
  for (const File& file : tree()) {
    if (!file.is(".h") || file.lines.empty()) continue;
    if (!file.lines[0].starts_with("// ")) offences.push_back(file.path + ": does not begin with a comment");
    if (std::find(file.lines.begin(), file.lines.end(), "#pragma once") == file.lines.end())
      offences.push_back(file.path + ": no #pragma once");
  }
  EXPECT_NONE(offences);
}

TEST(Tidy, NothingIsLeftForLater) {
  const std::string words = std::string("\\b(TO") + "DO|FIX" + "ME|XX" + "X|HA" + "CK)\\b";
  EXPECT_NONE(lines_that_match(std::regex(words), [](const File&) { return true; }));
}

TEST(Tidy, NoTestIsSwitchedOff) {
  const std::string pattern = std::string("DIS") + "ABLED_|GTEST_SKIP_BY" + "_DEFAULT";
  EXPECT_NONE(lines_that_match(std::regex(pattern), [](const File& f) { return f.is_code(); }));
}

TEST(Tidy, EverySourceIsBuiltBySomeCMakeLists) {
  Offences offences;
  std::map<std::string, std::string> lists;  // folder -> its CMakeLists.txt
  for (const File& file : tree()) {
    if (!file.path.ends_with("CMakeLists.txt")) continue;
    std::string& text = lists[fs::path(file.path).parent_path().generic_string()];
    for (const std::string& line : file.lines) text += line + "\n";
  }
  for (const File& file : tree()) {
    if (!file.is(".cpp")) continue;
    fs::path folder = fs::path(file.path).parent_path();
    while (!folder.empty() && !lists.contains(folder.generic_string())) folder = folder.parent_path();
    const std::string name = fs::path(file.path).lexically_relative(folder.empty() ? "." : folder).generic_string();
    const std::string& text = lists[folder.generic_string()];
    const auto is_word = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '/' || c == '.';
    };
    bool listed = false;
    for (std::size_t at = text.find(name); at != std::string::npos && !listed; at = text.find(name, at + 1))
      listed =
          (at == 0 || !is_word(text[at - 1])) && (at + name.size() >= text.size() || !is_word(text[at + name.size()]));
    if (!listed) offences.push_back(file.path);
  }
  EXPECT_NONE(offences);
}

TEST(Tidy, CodeIsFormatted) {
  if (std::system("command -v clang-format > /dev/null") != 0) GTEST_SKIP() << "there is no clang-format on PATH";
  std::set<std::string> unformatted;
  for (std::size_t i = 0; i < tree().size();) {
    std::string command = "cd '" + kRoot.string() + "' && clang-format --dry-run";
    for (int count = 0; count < 40 && i < tree().size(); ++i)
      if (tree()[i].is_code()) command += " '" + tree()[i].path + "'", ++count;
    FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    char line[1024];
    while (std::fgets(line, sizeof line, pipe))
      if (std::string(line).find("clang-format-violations") != std::string::npos)
        unformatted.insert(std::string(line).substr(0, std::string(line).find(':')));
    ::pclose(pipe);
  }
  EXPECT_NONE(Offences(unformatted.begin(), unformatted.end()));
}

}  // namespace
}  // namespace conceptd
