#include "learner/l2dm/consolidate.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "diffusion/edits/edited.h"
#include "diffusion/prompt.h"
#include "diffusion/token_covariance.h"
#include "learner/settings.h"
#include "learner/settling.h"
#include "learner/step_workers.h"
#include "learner/template.h"

namespace conceptd::learner {

using diffusion::EditSet;
using Edits = std::shared_ptr<const EditSet>;

ConsolidationSettings ConsolidationSettings::from_json(const nlohmann::json& settings) {
  ConsolidationSettings s;
  SettingsReader reader(settings, "consolidation");
  s.StepSettings::read(reader);
  reader.number("ridge", s.ridge, 1e-9, 1e3);
  reader.number("rest", s.rest, 0, 1);
  reader.whole("rank", s.rank, 0, 128);
  reader.number("rate", s.rate, 0, 1);
  reader.number("gamma", s.gamma, 0, 1e3);
  reader.number("alpha", s.alpha, 0, 1e3);
  reader.number("beta", s.beta, 0, 1e3);
  reader.number("rho", s.rho, 0, 1e3);
  reader.number("kappa", s.kappa, 0, 10);
  reader.whole("elastic_every", s.elastic_every, 1, 10000);
  reader.whole("candidates", s.candidates, 2, 1000);
  reader.whole("kept", s.kept, 1, 1000);
  reader.whole("class_pictures", s.class_pictures, 1, 1000);
  reader.whole("picture_steps", s.picture_steps, 1, 200);
  reader.number("likeness", s.likeness, 0, 1e3);
  reader.finish();
  return s;
}

nlohmann::json ConsolidationSettings::to_json() const {
  nlohmann::json all{{"ridge", ridge},
                     {"rest", rest},
                     {"rank", rank},
                     {"rate", rate},
                     {"gamma", gamma},
                     {"alpha", alpha},
                     {"beta", beta},
                     {"rho", rho},
                     {"kappa", kappa},
                     {"elastic_every", elastic_every},
                     {"candidates", candidates},
                     {"kept", kept},
                     {"class_pictures", class_pictures},
                     {"picture_steps", picture_steps},
                     {"likeness", likeness}};
  StepSettings::write(all);
  return all;
}

namespace {
constexpr double kElasticFloor = .01;  // of g, so that no concept is never drawn
constexpr int64_t kMeasured = 4;       // held-back latents of a concept
constexpr std::uint64_t kMeasureSeed = 0x9ea5;

Edits layers_of(const diffusion::Consolidated& made, const diffusion::DeltaBase& base) {
  return std::make_shared<const EditSet>(diffusion::consolidated_edits(made, base, {}));
}

Tensor contexts_of(std::span<const Rehearsed* const> items, Tensor Rehearsed::*which) {
  std::vector<Tensor> states;
  for (const auto* item : items) states.push_back(item->*which);
  return torch::stack(states);
}

Tensor answer(diffusion::ModelBundle& bundle, const Draw& draw, const Tensor& states,
              const diffusion::Edited::Rows& rows) {
  diffusion::Edited adapt(rows);
  return bundle.unet(draw.noisy.to(bundle.compute), draw.timesteps, states.to(bundle.compute), adapt).to(torch::kFloat);
}

// As draw_step(), of latents that are there.
Draw noised(std::span<const Rehearsed* const> items, const diffusion::NoiseSchedule& schedule,
            torch::Generator& random) {
  std::vector<Tensor> latents;
  for (const auto* item : items) latents.push_back(item->latent);
  const auto originals = torch::stack(latents);
  const auto b = originals.size(0);
  Draw draw;
  draw.timesteps = spread_timesteps(b, schedule.train_steps(), random);
  const auto noise = torch::randn(originals.sizes(), random);
  draw.noisy = schedule.add_noise(originals, noise, draw.timesteps);
  draw.target = schedule.target(originals, noise, draw.timesteps);
  draw.mask = torch::ones({b, 1, 1, 1});
  return draw;
}

// What one concept's held-back latents ask, and what teacher and base answer there; the same whatever is measured.
struct Exam {
  Draw draw;
  Tensor states, teacher;
  double effect = 0;  // |u0 - u|^2
};

Exam exam_of(diffusion::ModelBundle& bundle, const std::vector<Rehearsed>& held,
             const diffusion::NoiseSchedule& schedule, std::uint64_t seed) {
  const torch::NoGradGuard frozen;
  std::vector<const Rehearsed*> items;
  for (int64_t k = 0; k < kMeasured; ++k) items.push_back(&held[static_cast<std::size_t>(k) % held.size()]);
  auto random = torch::make_generator<at::CPUGeneratorImpl>(seed);
  Exam exam{noised(items, schedule, random), contexts_of(items, &Rehearsed::context), {}};
  diffusion::Edited::Rows teachers;
  for (const auto* item : items) teachers.push_back(item->teacher);
  exam.teacher = answer(bundle, exam.draw, exam.states, teachers);
  const diffusion::Edited::Rows nobody(items.size());
  const auto plain = answer(bundle, exam.draw, contexts_of(items, &Rehearsed::class_context), nobody);
  exam.effect = (plain - exam.teacher).pow(2).sum().item<double>();
  return exam;
}

// |s - u|^2 / |u0 - u|^2 of each concept: the share of its effect that is lost.
std::vector<double> lost(diffusion::ModelBundle& bundle, const std::vector<Exam>& exams, const Edits& student) {
  const torch::NoGradGuard frozen;
  std::vector<double> shares;
  for (const auto& exam : exams) {
    const diffusion::Edited::Rows rows(static_cast<std::size_t>(exam.states.size(0)), student);
    const auto said = answer(bundle, exam.draw, exam.states, rows);
    shares.push_back((said - exam.teacher).pow(2).sum().item<double>() / std::max(exam.effect, 1e-12));
  }
  return shares;
}

std::vector<Exam> exams_of(diffusion::ModelBundle& bundle, std::span<const ConsolidationMember> members,
                           const Rehearsal& from) {
  const auto schedule = diffusion::NoiseSchedule::from_json(bundle.scheduler_config);
  std::vector<Exam> exams;
  for (std::size_t m = 0; m < members.size(); ++m) {
    const auto own = static_cast<std::uint64_t>(members[m].digest.raw()[0]);  // a stream of its own
    exams.push_back(exam_of(bundle, from.held[m], schedule, kMeasureSeed + own));
  }
  return exams;
}

// (class word - consolidated) / (class word - own delta), of the denoising loss on photos.
std::optional<double> gain_kept(diffusion::ModelBundle& bundle, const diffusion::DeltaBase& base,
                                const ConsolidationMember& member, const Edits& student) {
  if (!member.photos.defined()) return std::nullopt;
  const torch::NoGradGuard frozen;
  const auto& delta = member.delta;
  const auto text = templates_for(bundle).back();
  const auto edits = std::make_shared<const EditSet>(diffusion::delta_edits(delta, base));
  const auto own_words = diffusion::prepare_prompt(bundle, filled(text, delta.placeholder), edits);
  const auto class_words = diffusion::prepare_prompt(bundle, filled(text, delta.class_word));
  const auto schedule = diffusion::NoiseSchedule::from_json(bundle.scheduler_config);
  auto random = torch::make_generator<at::CPUGeneratorImpl>(kMeasureSeed);
  const auto draw = draw_step(encode_photos(bundle, member.photos, {}), schedule, 16, random, bundle.learning.min_snr);
  const auto loss = [&](const Tensor& context, const Edits& under) {
    const auto b = draw.noisy.size(0);
    const auto said = answer(bundle, draw, context.unsqueeze(0).repeat({b, 1, 1}),
                             diffusion::Edited::Rows(static_cast<std::size_t>(b), under));
    return masked_loss(said, draw.target, draw.mask).item<double>();
  };
  const double plain = loss(class_words.context, nullptr), own = loss(own_words.context, own_words.edits);
  if (!(plain > own)) return std::nullopt;  // the delta gains nothing that could be kept
  return (plain - loss(own_words.context, student)) / (plain - own);
}

double drift_of(diffusion::ModelBundle& bundle, const std::vector<Rehearsed>& classes, const Edits& student) {
  const torch::NoGradGuard frozen;
  std::vector<const Rehearsed*> items;
  for (const auto& item : classes) items.push_back(&item);
  const auto schedule = diffusion::NoiseSchedule::from_json(bundle.scheduler_config);
  auto random = torch::make_generator<at::CPUGeneratorImpl>(kMeasureSeed);
  const auto draw = noised(items, schedule, random);
  const auto states = contexts_of(items, &Rehearsed::context);
  const auto plain = answer(bundle, draw, states, diffusion::Edited::Rows(items.size()));
  const auto said = answer(bundle, draw, states, diffusion::Edited::Rows(items.size(), student));
  return ((said - plain).pow(2).sum() / plain.pow(2).sum()).item<double>();
}

// Everything of one run.
class Distillation {
 public:
  Distillation(const ConsolidationSettings& settings, LearnContext& context, const diffusion::DeltaBase& base,
               const Rehearsal& rehearsed, diffusion::Consolidated& made, const std::vector<Exam>& exams,
               std::uint64_t seed)
      : s_(settings),
        bundle_(context.bundle),
        schedule_(diffusion::NoiseSchedule::from_json(bundle_.scheduler_config)),
        rehearsed_(rehearsed),
        exams_(exams),
        lost_(torch::ones({static_cast<int64_t>(exams.size())}, torch::kDouble)) {
    auto random = torch::make_generator<at::CPUGeneratorImpl>(seed + 2);
    for (const auto& [site, difference] : made.merged) {
      auto& factors = made.residual[site];
      factors.down = torch::randn({s_.rank, difference.size(1)}, random) / static_cast<double>(s_.rank);
      factors.up = torch::zeros({difference.size(0), s_.rank});
      leaves_.push_back(factors.down.requires_grad_()), leaves_.push_back(factors.up.requires_grad_());
    }
    student_ = layers_of(made, base);
  }

  std::vector<Tensor>& leaves() { return leaves_; }
  RunMemory::Others others() { return {{"lost", &lost_}}; }

  double step(int64_t at, torch::Generator& random) {
    if (at % s_.elastic_every == 0) look();
    const auto [own, weights] = elastic();
    std::vector<const Rehearsed*> items;
    std::vector<float> row_weights;
    const auto owners = torch::multinomial(own, s_.batch, true, random);
    const auto whole = [&](std::size_t below) {
      return torch::randint(static_cast<int64_t>(below), {1}, random, torch::kLong).item<int64_t>();
    };
    for (int64_t k = 0; k < s_.batch; ++k) {
      const auto m = static_cast<std::size_t>(owners[k].item<int64_t>());
      items.push_back(&rehearsed_.kept[m][static_cast<std::size_t>(whole(rehearsed_.kept[m].size()))]);
      row_weights.push_back(weights[owners[k]].item<float>());
    }
    const auto classes = s_.beta > 0 ? std::max<int64_t>(1, s_.batch / 2) : 0;
    for (int64_t k = 0; k < classes; ++k) {
      items.push_back(&rehearsed_.classes[static_cast<std::size_t>(whole(rehearsed_.classes.size()))]);
      row_weights.push_back(static_cast<float>(s_.batch) / static_cast<float>(classes));  // means of their own
    }
    const auto b = s_.batch + classes;
    auto draw = noised(items, schedule_, random);
    draw.mask = torch::tensor(row_weights).view({b, 1, 1, 1}) * static_cast<double>(b) / static_cast<double>(s_.batch);
    if (s_.min_snr > 0) {
      const auto by_time = timestep_weights(schedule_, s_.min_snr).index_select(0, draw.timesteps);
      draw.mask = draw.mask * by_time.view({b, 1, 1, 1});
    }
    draw.prompt = torch::arange(b);
    const double loss =
        workers_.backward(draw, contexts_of(items, &Rehearsed::context), leaves_,
                          [&](const Draw& part, const Tensor& states) { return loss_of(items, part, states); });
    if (s_.rho > 0) {
      auto norm = torch::zeros({});
      for (std::size_t k = 0; k < leaves_.size(); k += 2)
        norm = norm + torch::matmul(leaves_[k + 1], leaves_[k]).pow(2).sum();
      (s_.rho * norm).backward();
    }
    return loss;
  }

 private:
  void look() {
    const auto shares = lost(bundle_, exams_, student_);
    lost_ = torch::tensor(shares, torch::kDouble);
  }
  // q and w of every concept.
  std::pair<Tensor, Tensor> elastic() const {
    const auto g = lost_.clamp_min(0);
    const auto q = (g + kElasticFloor).pow(s_.kappa);
    return {q / q.sum(), (g / g.mean().clamp_min(1e-12)).clamp(.5, 2)};
  }
  Tensor loss_of(const std::vector<const Rehearsed*>& items, const Draw& part, const Tensor& states) const {
    diffusion::Edited::Rows teachers;
    std::vector<float> distil, rehearse;
    for (int64_t k = 0; k < part.prompt.size(0); ++k) {
      const auto* item = items[static_cast<std::size_t>(part.prompt[k].item<int64_t>())];
      teachers.push_back(item->teacher);
      distil.push_back(static_cast<float>(item->owner < 0 ? s_.beta : s_.gamma));
      rehearse.push_back(static_cast<float>(item->owner < 0 ? 0 : s_.alpha));
    }
    Tensor right;
    {
      const torch::NoGradGuard frozen;
      right = answer(bundle_, part, states, teachers);
    }
    const auto said = answer(bundle_, part, states, diffusion::Edited::Rows(items_in(part), student_));
    const auto weights = [](const std::vector<float>& of) { return torch::tensor(of).view({-1, 1, 1, 1}); };
    return (part.mask * (weights(distil) * (said - right).pow(2) + weights(rehearse) * (said - part.target).pow(2)))
        .mean();
  }
  static std::size_t items_in(const Draw& part) { return static_cast<std::size_t>(part.noisy.size(0)); }

  const ConsolidationSettings& s_;
  diffusion::ModelBundle& bundle_;
  const diffusion::NoiseSchedule schedule_;
  const Rehearsal& rehearsed_;
  const std::vector<Exam>& exams_;
  Tensor lost_;  // (members) fp64: g
  std::vector<Tensor> leaves_;
  Edits student_;
  StepWorkers workers_;
};

std::string percent(double share) {
  if (!std::isfinite(share)) return "nothing that is a number";
  return std::to_string(std::lround(100 * share)) + " %";
}

void check_members(const std::vector<ConsolidationMember>& members) {
  if (members.empty()) throw Error(Code::invalid, "there is no concept to consolidate", "members");
  std::set<std::string> names;
  for (const auto& member : members) {
    if (!names.insert(member.delta.placeholder).second)
      throw Error(Code::invalid, member.delta.placeholder + " is there twice", "members");
    if (const auto why = no_consolidation(member.delta); !why.empty())
      throw Error(Code::invalid, member.delta.placeholder + " cannot be consolidated: " + why, "members");
  }
}

std::vector<ConceptQuality> quality_of(diffusion::ModelBundle& bundle, const diffusion::DeltaBase& base,
                                       std::span<const ConsolidationMember> members, const std::vector<Exam>& exams,
                                       const Edits& student) {
  const auto shares = lost(bundle, exams, student);
  std::vector<ConceptQuality> quality;
  for (std::size_t m = 0; m < members.size(); ++m) {
    quality.push_back({.placeholder = members[m].delta.placeholder,
                       .effect_kept = 1 - shares[m],
                       .gain_kept = gain_kept(bundle, base, members[m], student)});
  }
  return quality;
}
}  // namespace

std::vector<ConceptQuality> measure_quality(diffusion::ModelBundle& bundle, const diffusion::DeltaBase& base,
                                            std::span<const ConsolidationMember> members, const Rehearsal& from,
                                            const diffusion::Consolidated& made) {
  return quality_of(bundle, base, members, exams_of(bundle, members, from), layers_of(made, base));
}

std::map<std::string, std::string> who_loses(const Consolidation& done, double gain_kept_min) {
  std::map<std::string, std::string> reasons;
  for (const auto& one : done.quality) {
    if (!one.gain_kept)
      reasons[one.placeholder] = "its own delta gains nothing on its photo that could be kept";
    else if (!(*one.gain_kept >= gain_kept_min))
      reasons[one.placeholder] = "it would keep " + percent(*one.gain_kept) + " of what it gains on its photo, and " +
                                 percent(gain_kept_min) + " is asked";
  }
  return reasons;
}

std::string moves_class_words(const Consolidation& done, double drift_max) {
  if (done.drift <= drift_max) return {};
  return "class words without a concept move by " + percent(done.drift) + ", and at most " + percent(drift_max) +
         " is allowed";
}

std::string why_not_publish(const Consolidation& done, double effect_kept_min, double drift_max) {
  for (const auto& one : done.quality) {
    if (one.effect_kept >= effect_kept_min) continue;  // not so where it is no number
    return "of what " + one.placeholder + " changes, " + percent(one.effect_kept) + " is kept, and " +
           percent(effect_kept_min) + " is asked";
  }
  return moves_class_words(done, drift_max);
}

Consolidation consolidate(const ConsolidationRequest& request, LearnContext& context) {
  auto s = ConsolidationSettings::from_json(request.settings);
  s.complete(context.bundle.learning);
  check_members(request.members);
  auto members = request.members;
  std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.digest < b.digest; });
  auto& bundle = context.bundle;
  const auto covariance = diffusion::TokenCovariance::of(bundle);
  const auto base = diffusion::DeltaBase::of(bundle, &covariance);
  Consolidation done;
  auto& made = done.made;
  made.base_fingerprint = base.fingerprint, made.text_encoder_digest = base.text_encoder_digest;
  made.covariance_digest = covariance.digest();
  made.settings = s.to_json(), made.settings["seed"] = request.seed;
  std::vector<ConceptStatistics> parts;
  for (const auto& member : members) {
    parts.push_back(concept_statistics(bundle, base, member, s.rest));
    const auto rows = member.delta.tensors.find(diffusion::kWordTensor);
    made.members[member.delta.placeholder] = {member.digest, member.delta.class_word,
                                              rows == member.delta.tensors.end() ? Tensor() : rows->second};
  }
  made.merged = merged_statistics(parts, covariance.matrix(), s.ridge);

  const LearnRequest run{.name = "consolidated",
                         .class_word = consolidation_key(made).hex(),
                         .photos = {},
                         .masks = {},
                         .seed = request.seed,
                         .settings = s.to_json(),
                         .checkpoint = request.checkpoint};
  const auto before_step = [&] {
    if (context.progress) context.progress({.step = 0, .steps = s.steps, .note = {}, .preview = {}});
  };
  const auto rehearsed = rehearsal(bundle, base, members, s, before_step);
  const auto exams = exams_of(bundle, members, rehearsed);
  const auto closed_form = layers_of(made, base);
  const auto closed = quality_of(bundle, base, members, exams, closed_form);
  const double closed_drift = drift_of(bundle, rehearsed.classes, closed_form);
  done.quality = closed, done.drift = closed_drift;
  if (s.rank > 0) {
    Distillation distillation(s, context, base, rehearsed, made, exams, request.seed);
    torch::optim::Adam adam(distillation.leaves(), torch::optim::AdamOptions(s.rate));
    LearningLoop loop(s.plan("consolidation", {s.rate}), run, context, adam, distillation.others());
    loop.run([&](int64_t step, torch::Generator& random) { return distillation.step(step, random); },
             [] { return Tensor(); });
    for (auto& [site, factors] : made.residual) factors = {factors.down.detach().clone(), factors.up.detach().clone()};
    const auto student = layers_of(made, base);
    done.quality = quality_of(bundle, base, members, exams, student);
    done.drift = drift_of(bundle, rehearsed.classes, student);
  }
  done.metrics = {{"drift", done.drift}, {"drift_closed_form", closed_drift}};
  for (std::size_t m = 0; m < members.size(); ++m) {
    auto& one = done.quality[m];
    one.effect_kept_closed_form = closed[m].effect_kept;
    auto& entry = done.metrics["concepts"][one.placeholder];
    entry = {{"effect_kept", one.effect_kept}, {"effect_kept_closed_form", one.effect_kept_closed_form}};
    if (one.gain_kept) entry["gain_kept"] = *one.gain_kept;
    if (closed[m].gain_kept) entry["gain_kept_closed_form"] = *closed[m].gain_kept;
  }
  return done;
}

}  // namespace conceptd::learner
