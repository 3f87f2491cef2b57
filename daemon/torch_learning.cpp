#include "daemon/torch_learning.h"

#include "core/error.h"
#include "core/json.h"
#include "daemon/tensor_picture.h"
#include "diffusion/runtime.h"
#include "learner/learner.h"

namespace conceptd::daemon {

WorkerResult learn_with_torch(const LearnOrder& order, const WorkerVoice& voice) {
  const diffusion::RuntimeInfo runtime = diffusion::set_up_compute({.threads = order.threads, .dtype = order.dtype});
  voice.step({.message = "loading the base model"}, nullptr);
  auto bundle = diffusion::ModelBundle::open(order.base_folder, {.compute = runtime.dtype});
  require_base(order, bundle.fingerprint.hex());
  std::vector<picture::Picture> pictures;
  for (const std::string& photo : order.photos) pictures.push_back(picture::decode(photo));
  const learner::LearnRequest request{.name = order.name,
                                      .class_word = order.class_word,
                                      .photos = to_photos(pictures, static_cast<int>(bundle.picture_side())),
                                      .masks = {},
                                      .seed = order.seed,
                                      .settings = parse_json(order.settings, "the settings of the job"),
                                      .checkpoint = order.checkpoint};
  learner::LearnContext context{.bundle = bundle,
                                .progress =
                                    [&](const learner::LearnProgress& progress) {
                                      const WorkerProgress said{.step = progress.step,
                                                                .steps = progress.steps,
                                                                .loss = progress.loss,
                                                                .eta_s = progress.eta_s,
                                                                .message = progress.note};
                                      if (!progress.preview.defined()) return voice.step(said, nullptr);
                                      const picture::Picture preview = to_picture_from_signed(progress.preview);
                                      voice.step(said, &preview);
                                    },
                                .checkpoint = voice.checkpoint};
  try {
    const learner::Learned learned = learner::make_learner(order.method)->learn(request, context);
    return {.delta = diffusion::delta_bytes(learned.delta),
            .settings = learned.delta.settings.dump(),
            .metrics = learned.metrics.dump()};
  } catch (const learner::Diverged& error) {
    throw Hopeless(error.code(), error.what());
  } catch (const c10::Error& error) {  // libtorch's word for it
    if (std::string_view(error.what()).find("can't allocate memory") == std::string_view::npos) throw;
    throw std::bad_alloc();
  }
}

}  // namespace conceptd::daemon
