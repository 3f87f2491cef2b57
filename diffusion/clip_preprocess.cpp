#include "diffusion/clip_vision.h"

namespace conceptd::diffusion {

namespace {
constexpr int64_t kSideMax = 4096;

// {"shortest_edge": n} or, for a crop, {"height": n, "width": n}; or n
std::array<int64_t, 2> read_size(const ConfigReader& reader, const char* key, const Json& json, bool crop) {
  const auto whole = [&](const Json& value) {
    if (!value.is_number_integer() || value.get<int64_t>() < 1 || value.get<int64_t>() > kSideMax) {
      throw reader.refuse(key, "is not 1 to " + std::to_string(kSideMax) + " pixels");
    }
    return value.get<int64_t>();
  };
  if (json.is_number()) return {whole(json), whole(json)};
  if (!crop && json.is_object() && json.size() == 1 && json.contains("shortest_edge")) {
    return {whole(json["shortest_edge"]), whole(json["shortest_edge"])};
  }
  if (crop && json.is_object() && json.contains("height") && json.contains("width")) {
    return {whole(json["height"]), whole(json["width"])};
  }
  throw reader.refuse(key, crop ? "has no height and width" : "is not one shortest_edge");
}

std::array<double, 3> read_colour(const ConfigReader& reader, const char* key, const Json& json) {
  if (!json.is_array() || json.size() != 3) throw reader.refuse(key, "is not three numbers");
  std::array<double, 3> colour{};
  for (std::size_t k = 0; k < 3; ++k) {
    if (!json[k].is_number()) throw reader.refuse(key, "is not three numbers");
    colour[k] = json[k].get<double>();
  }
  return colour;
}

Tensor cut_centre(const Tensor& picture, int64_t height, int64_t width) {  // with black where there is nothing
  const auto missing_rows = std::max<int64_t>(height - picture.size(0), 0);
  const auto missing_columns = std::max<int64_t>(width - picture.size(1), 0);
  const auto above = (missing_rows + 1) / 2, left = (missing_columns + 1) / 2;
  const auto padded =
      torch::constant_pad_nd(picture, {0, 0, left, missing_columns - left, above, missing_rows - above});
  // As upstream: floor((picture - crop) / 2) from the picture's own edge, which the padding has moved.
  const auto floor_half = [](int64_t difference) { return (difference - (difference < 0 && difference % 2 != 0)) / 2; };
  const auto top = floor_half(picture.size(0) - height) + above, from = floor_half(picture.size(1) - width) + left;
  return padded.slice(0, top, top + height).slice(1, from, from + width);
}
}  // namespace

ClipPreprocess ClipPreprocess::for_size(int64_t side) {
  ClipPreprocess preprocess;
  preprocess.shortest_edge = preprocess.crop_height = preprocess.crop_width = side;
  return preprocess;
}

ClipPreprocess ClipPreprocess::from_json(const Json& json, const std::string& what) {
  ConfigReader reader(json, what);
  ClipPreprocess p;
  p.resize = reader.boolean("do_resize", p.resize);
  p.center_crop = reader.boolean("do_center_crop", p.center_crop);
  p.rescale = reader.boolean("do_rescale", p.rescale);
  p.normalize = reader.boolean("do_normalize", p.normalize);
  if (reader.has("size")) p.shortest_edge = read_size(reader, "size", json["size"], false)[0];
  if (reader.has("crop_size")) {
    const auto crop = read_size(reader, "crop_size", json["crop_size"], true);
    p.crop_height = crop[0];
    p.crop_width = crop[1];
  }
  p.filter = static_cast<ResizeFilter>(reader.integer("resample", 1, 3, static_cast<int64_t>(p.filter)));
  p.rescale_factor = reader.number("rescale_factor", 0, 1, p.rescale_factor);
  if (reader.has("image_mean")) p.mean = read_colour(reader, "image_mean", json["image_mean"]);
  if (reader.has("image_std")) p.std = read_colour(reader, "image_std", json["image_std"]);
  for (const double value : p.std) {
    if (!(value > 0)) throw reader.refuse("image_std", "is not positive");
  }
  return p;
}

Json ClipPreprocess::to_json() const {
  return {{"image_processor_type", "CLIPImageProcessor"},
          {"do_resize", resize},
          {"do_center_crop", center_crop},
          {"do_rescale", rescale},
          {"do_normalize", normalize},
          {"do_convert_rgb", true},
          {"size", {{"shortest_edge", shortest_edge}}},
          {"crop_size", {{"height", crop_height}, {"width", crop_width}}},
          {"resample", static_cast<int>(filter)},
          {"rescale_factor", rescale_factor},
          {"image_mean", mean},
          {"image_std", std}};
}

Tensor ClipPreprocess::operator()(const Tensor& picture) const {
  if (picture.dim() != 3 || picture.size(2) != 3 || picture.scalar_type() != torch::kByte || picture.numel() == 0) {
    throw Error(Code::invalid, "a picture must be (height, width, 3) uint8");
  }
  auto x = picture;
  if (resize) {
    const auto height = x.size(0), width = x.size(1), shorter = std::min(height, width);
    const auto scaled = [&](int64_t side) { return side == shorter ? shortest_edge : shortest_edge * side / shorter; };
    x = resize_picture(x, scaled(height), scaled(width), filter);
  }
  if (center_crop) x = cut_centre(x, crop_height, crop_width);
  auto y = rescale ? (x.to(torch::kDouble) * rescale_factor).to(torch::kFloat) : x.to(torch::kFloat);
  if (normalize) {
    const auto as_tensor = [](const std::array<double, 3>& c) {
      return torch::tensor({c[0], c[1], c[2]}, torch::kFloat);
    };
    y = (y - as_tensor(mean)) / as_tensor(std);
  }
  return y.permute({2, 0, 1}).unsqueeze(0).contiguous();
}

}  // namespace conceptd::diffusion
