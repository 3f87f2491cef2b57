#include "learner/evaluate/score.h"

#include <cmath>

#include "learner/evaluate/colour_error.h"

namespace conceptd::evaluate {

const char* const kQuestionNames[kQuestions] = {"shape", "first_colour", "second_colour", "pattern", "badge"};

std::vector<Seen> look(AttributeNet& net, const Tensor& pictures) {
  torch::NoGradGuard frozen;
  const auto answers = net(pictures);
  std::vector<Seen> seen(static_cast<std::size_t>(pictures.size(0)));
  for (int64_t row = 0; row < pictures.size(0); ++row) {
    auto& one = seen[static_cast<std::size_t>(row)];
    std::copy_n(answers.colours[row].contiguous().data_ptr<float>(), 6, one.colours.begin());
    one.background = answers.background[row].argmax().item<int64_t>();
    for (int place = 0; place < 2; ++place) {
      for (int q = 0; q < kQuestions; ++q) one.place[place][q] = answers.place[place][q][row].argmax().item<int64_t>();
    }
  }
  return seen;
}

IdentityScore& IdentityScore::operator+=(const IdentityScore& more) {
  for (int q = 0; q < kQuestions; ++q) attribute[q] += more.attribute[q];
  for (int k = 0; k < 2; ++k) colour_distance[k] += more.colour_distance[k];
  embedding += more.embedding, found += more.found, pictures += more.pictures;
  colour_error += more.colour_error;
  return *this;
}

double IdentityScore::by_truth() const {
  double sum = 0;
  int asked = 0;
  for (const auto& share : attribute) sum += share.value(), asked += share.asked > 0;
  return asked ? sum / asked : 0;
}

nlohmann::json IdentityScore::to_json() const {
  nlohmann::json out{{"by_truth", by_truth()},
                     {"embedding", pictures ? embedding / static_cast<double>(pictures) : 0},
                     {"found", found.value()},
                     {"pictures", pictures}};
  for (int q = 0; q < kQuestions; ++q) out[kQuestionNames[q]] = attribute[q].value();
  const auto mean = [](double sum, int64_t n) { return n ? sum / static_cast<double>(n) : 0; };
  out["colour_error"] = mean(colour_error, pictures);
  out["first_colour_distance"] = mean(colour_distance[0], pictures);
  out["second_colour_distance"] = mean(colour_distance[1], attribute[kSecond].asked);
  return out;
}

namespace {
double distance(const float* a, const float* b) { return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]); }
}  // namespace

void add_identity(IdentityScore& score, AttributeNet& net, const Tensor& pictures, const world::Instance& instance,
                  const IdentityReferences& references) {
  torch::NoGradGuard frozen;
  const auto truth = truth_of({.objects = {{.instance = instance}}});
  for (const auto& one : look(net, pictures)) {
    for (int q = 0; q < kQuestions; ++q) {
      if (truth.place[0][q] >= 0) score.attribute[q].count(one.place[0][q] == truth.place[0][q]);
    }
    score.colour_distance[0] += distance(&one.colours[0], &truth.colours[0]);
    if (truth.place[0][kSecond] >= 0) score.colour_distance[1] += distance(&one.colours[3], &truth.colours[3]);
  }
  const auto embedded = net(pictures).identity;
  const auto own = torch::matmul(embedded, references.own.t()).mean(1);                             // (b)
  const auto others = torch::einsum("be,oke->bok", {embedded, references.others}).mean(2).amax(1);  // (b)
  score.embedding += own.sum().item<double>();
  for (int64_t row = 0; row < pictures.size(0); ++row)
    score.found.count(own[row].item<float>() > others[row].item<float>());
  for (const double error : colour_errors(pictures, instance)) score.colour_error += error;
  score.pictures += pictures.size(0);
}

}  // namespace conceptd::evaluate
