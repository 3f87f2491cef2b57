// Scan conversion: every primitive becomes a polygon; a polygon fills, row by row, the samples whose centre it winds
// around.
#include "learner/world/canvas.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace conceptd::world {
namespace {

constexpr int kCrossingsMax = 24;  // of one row; the shapes here need eight
constexpr float kDegree = 3.14159265f / 180;

Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
Point operator*(float s, Point a) { return {s * a.x, s * a.y}; }

// Closed Catmull-Rom spline.
void spline(std::span<const Point> points, std::vector<Point>& out) {
  constexpr int kSteps = 7;
  const std::size_t count = points.size();
  out.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const Point a = points[(i + count - 1) % count], b = points[i], c = points[(i + 1) % count],
                d = points[(i + 2) % count];
    for (int step = 0; step < kSteps; ++step) {
      const float t = static_cast<float>(step) / kSteps, t2 = t * t, t3 = t2 * t;
      out.push_back((.5f * (-t3 + 2 * t2 - t)) * a + (.5f * (3 * t3 - 5 * t2 + 2)) * b +
                    (.5f * (-3 * t3 + 4 * t2 + t)) * c + (.5f * (t3 - t2)) * d);
    }
  }
}

}  // namespace

Canvas::Canvas(int side, int samples) : width_(side * samples), stride_(width_ + 2 * kPad) {
  cells_.assign(static_cast<std::size_t>(stride_) * static_cast<std::size_t>(stride_), 0);
  crossings_.resize(static_cast<std::size_t>(width_) * kCrossingsMax);
  counts_.assign(static_cast<std::size_t>(width_), 0);
}

void Canvas::begin(float centre_x, float centre_y, float size, float tilt_deg) {
  for (int y = top_; y < bottom_; ++y) {
    std::memset(cells_.data() + static_cast<std::ptrdiff_t>(y + kPad) * stride_ + kPad + left_, 0,
                static_cast<std::size_t>(right_ - left_));
  }
  left_ = top_ = width_;
  right_ = bottom_ = 0;
  centre_ = {centre_x, centre_y};
  along_ = size * std::cos(tilt_deg * kDegree);
  across_ = size * std::sin(tilt_deg * kDegree);
  size_ = size;
}

Point Canvas::map(Point point) const {
  const float x = point.x - .5f, y = point.y - .5f;
  return {centre_.x + along_ * x - across_ * y, centre_.y + across_ * x + along_ * y};
}

void Canvas::fill(Ink ink) {
  int first = width_, last = -1;
  for (std::size_t i = 0; i < mapped_.size(); ++i) {
    Point a = mapped_[i], b = mapped_[(i + 1) % mapped_.size()];
    int winding = 1;
    if (a.y > b.y) std::swap(a, b), winding = -1;
    const int from = std::max(0, static_cast<int>(std::ceil(a.y - .5f)));
    const int to = std::min(width_ - 1, static_cast<int>(std::ceil(b.y - .5f)) - 1);
    if (from > to) continue;
    const float slope = (b.x - a.x) / (b.y - a.y);
    for (int y = from; y <= to; ++y) {
      int& count = counts_[static_cast<std::size_t>(y)];
      if (count == kCrossingsMax) continue;
      const float x = a.x + slope * (static_cast<float>(y) + .5f - a.y);
      crossings_[static_cast<std::size_t>(y * kCrossingsMax + count++)] = {x, winding};
    }
    first = std::min(first, from);
    last = std::max(last, to);
  }
  for (int y = first; y <= last; ++y) {
    Crossing* crossing = crossings_.data() + static_cast<std::ptrdiff_t>(y) * kCrossingsMax;
    const int count = counts_[static_cast<std::size_t>(y)];
    counts_[static_cast<std::size_t>(y)] = 0;
    for (int i = 1; i < count; ++i) {
      for (int j = i; j > 0 && crossing[j].x < crossing[j - 1].x; --j) std::swap(crossing[j], crossing[j - 1]);
    }
    std::uint8_t* cells = cells_.data() + static_cast<std::ptrdiff_t>(y + kPad) * stride_ + kPad;
    int winding = 0;
    for (int i = 0; i + 1 < count; ++i) {
      winding += crossing[i].winding;
      if (winding == 0) continue;
      const int from = std::max(0, static_cast<int>(std::ceil(crossing[i].x - .5f)));
      const int to = std::min(width_, static_cast<int>(std::ceil(crossing[i + 1].x - .5f)));
      if (from >= to) continue;
      std::memset(cells + from, static_cast<int>(ink), static_cast<std::size_t>(to - from));
      left_ = std::min(left_, from);
      right_ = std::max(right_, to);
    }
  }
  if (first <= last) {
    top_ = std::min(top_, first);
    bottom_ = std::max(bottom_, last + 1);
  }
}

void Canvas::polygon(Ink ink, std::span<const Point> points) {
  mapped_.clear();
  for (const Point point : points) mapped_.push_back(map(point));
  fill(ink);
}

void Canvas::blob(Ink ink, std::initializer_list<Point> points) {
  spline(std::span(points.begin(), points.size()), path_);
  polygon(ink, path_);
}

void Canvas::profile(Ink ink, std::initializer_list<Point> right, bool smooth, float middle) {
  std::vector<Point> points;
  for (const Point point : right) points.push_back({middle + point.x, point.y});
  for (auto point = right.end(); point != right.begin();) {
    --point;
    points.push_back({middle - point->x, point->y});
  }
  if (smooth) {
    spline(points, path_);
    polygon(ink, path_);
  } else {
    polygon(ink, points);
  }
}

void Canvas::ellipse(Ink ink, Point centre, float radius_x, float radius_y, float tilt_deg) {
  const int count = std::clamp(static_cast<int>(5 * std::sqrt(std::max(radius_x, radius_y) * size_)), 10, 80);
  const float c = std::cos(tilt_deg * kDegree), s = std::sin(tilt_deg * kDegree);
  const float step = 360 * kDegree / static_cast<float>(count), cos_step = std::cos(step), sin_step = std::sin(step);
  mapped_.clear();
  float u = 1, v = 0;
  for (int i = 0; i < count; ++i) {
    const float x = radius_x * u, y = radius_y * v;
    mapped_.push_back(map({centre.x + c * x - s * y, centre.y + s * x + c * y}));
    const float turned = u * cos_step - v * sin_step;
    v = u * sin_step + v * cos_step;
    u = turned;
  }
  fill(ink);
}

void Canvas::box(Ink ink, float left, float top, float right, float bottom, float corner) {
  if (corner <= 0) return polygon(ink, {{left, top}, {right, top}, {right, bottom}, {left, bottom}});
  corner = std::min({corner, (right - left) / 2, (bottom - top) / 2});
  constexpr int kSteps = 6;
  path_.clear();
  const Point centres[4] = {{right - corner, top + corner},
                            {right - corner, bottom - corner},
                            {left + corner, bottom - corner},
                            {left + corner, top + corner}};
  for (int quarter = 0; quarter < 4; ++quarter) {
    for (int i = 0; i <= kSteps; ++i) {
      const float angle = (static_cast<float>(90 * (quarter - 1)) + 90.f * static_cast<float>(i) / kSteps) * kDegree;
      path_.push_back(centres[quarter] + corner * Point{std::cos(angle), std::sin(angle)});
    }
  }
  polygon(ink, path_);
}

void Canvas::line(Ink ink, std::span<const Point> points, float width) {
  const float half = width / 2;
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    const Point a = points[i], b = points[i + 1];
    const float x = b.x - a.x, y = b.y - a.y, length = std::sqrt(x * x + y * y);
    if (length <= 0) continue;
    const Point side{-y * half / length, x * half / length};
    polygon(ink, {{a.x + side.x, a.y + side.y},
                  {b.x + side.x, b.y + side.y},
                  {b.x - side.x, b.y - side.y},
                  {a.x - side.x, a.y - side.y}});
  }
  for (const Point point : points) disc(ink, point, half);
}

void Canvas::arc(Ink ink, Point centre, float radius_x, float radius_y, float from_deg, float to_deg, float width) {
  constexpr int kSteps = 28;
  const float half = width / 2;
  path_.clear();
  for (const int side : {1, -1}) {
    for (int i = 0; i <= kSteps; ++i) {
      const float part = static_cast<float>(side == 1 ? i : kSteps - i) / kSteps;
      const float angle = (from_deg + (to_deg - from_deg) * part) * kDegree;
      const float grow = static_cast<float>(side) * half;
      path_.push_back({centre.x + (radius_x + grow) * std::cos(angle), centre.y + (radius_y + grow) * std::sin(angle)});
    }
  }
  polygon(ink, path_);
}

}  // namespace conceptd::world
