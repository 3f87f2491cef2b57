// A sheet of pictures in rows, each row with its label, written as PNG.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace conceptd::world {

void write_png(const std::string& path, int width, int height, std::span<const std::uint8_t> rgb);

class Sheet {
 public:
  Sheet(int columns, int side) : columns_(columns), side_(side) {}
  void row(const std::string& label,
           const std::vector<std::vector<std::uint8_t>>& pictures);  // at most `columns`, each side * side * 3
  void write(const std::string& path) const;

 private:
  static constexpr int kLabelWidth = 84;
  int width() const { return kLabelWidth + columns_ * (side_ + 2); }
  int columns_, side_;
  std::vector<std::uint8_t> rgb_;
};

}  // namespace conceptd::world
