// A canvas of inks: one byte a sample says which material is on top. Shapes draw on it in the units of their box, (0,
// 0) to (1, 1), y down.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace conceptd::world {

struct Point {
  float x = 0, y = 0;
};

enum class Ink : std::uint8_t {
  None,
  First,       // body: takes the pattern
  Second,      // parts
  FirstDeep,   // body in shadow, without the pattern
  SecondDeep,  // parts in shadow
  Dark,
  Light,
  Glass,
  Rim,  // around the badge
  Badge,
  Count
};

class Canvas {
 public:
  Canvas(int side, int samples);  // samples a pixel along one axis

  // Clears the last object and maps the box (centre and size in samples) that the next calls draw in.
  void begin(float centre_x, float centre_y, float size, float tilt_deg);

  void polygon(Ink ink, std::span<const Point> points);  // non-zero winding
  void polygon(Ink ink, std::initializer_list<Point> points) { polygon(ink, std::span(points.begin(), points.size())); }
  void blob(Ink ink, std::initializer_list<Point> points);  // closed smooth curve through the points
  void profile(Ink ink, std::initializer_list<Point> right, bool smooth, float middle = .5f);  // half-widths, mirrored
  void ellipse(Ink ink, Point centre, float radius_x, float radius_y, float tilt_deg = 0);
  void disc(Ink ink, Point centre, float radius) { ellipse(ink, centre, radius, radius); }
  void box(Ink ink, float left, float top, float right, float bottom, float corner = 0);
  void line(Ink ink, std::span<const Point> points, float width);  // round caps and joints
  void line(Ink ink, std::initializer_list<Point> points, float width) {
    line(ink, std::span(points.begin(), points.size()), width);
  }
  void arc(Ink ink, Point centre, float radius_x, float radius_y, float from_deg, float to_deg,
           float width);  // 0 right, 90 down

  int width() const { return width_; }
  int left() const { return left_; }  // of what was drawn since begin(), in samples; right and bottom exclusive
  int top() const { return top_; }
  int right() const { return right_; }
  int bottom() const { return bottom_; }
  // Row y; columns from -kPad to width() + kPad and rows likewise may be read.
  const std::uint8_t* row(int y) const {
    return cells_.data() + static_cast<std::ptrdiff_t>(y + kPad) * stride_ + kPad;
  }
  static constexpr int kPad = 16;

 private:
  struct Crossing {
    float x;
    int winding;
  };
  Point map(Point point) const;
  void fill(Ink ink);  // the polygon in mapped_

  int width_, stride_;
  int left_ = 0, top_ = 0, right_ = 0, bottom_ = 0;
  Point centre_;
  float along_ = 0, across_ = 0, size_ = 1;
  std::vector<std::uint8_t> cells_;
  std::vector<Point> mapped_, path_;
  std::vector<Crossing> crossings_;
  std::vector<int> counts_;
};

}  // namespace conceptd::world
