// What a request may use: everything is the Daemon's, lent.
#pragma once
#include "core/clock.h"
#include "daemon/config.h"
#include "daemon/generation_service.h"
#include "daemon/job_runner.h"
#include "daemon/live_state.h"
#include "daemon/model.h"
#include "registry/registry.h"

namespace conceptd::daemon {

class Evaluations;
class Metrics;
class Nights;
struct DecoderSettings;

struct Services {
  const Config& config;
  const Clock& clock;
  registry::Registry& registry;
  const Model& model;
  LiveStates& live;
  GenerationService& generation;
  Nights& nights;
  Evaluations& evaluations;
  JobRunners& runner;
  const DecoderSettings& decoder;
  Metrics& metrics;
  TimePoint started_at;
};

}  // namespace conceptd::daemon
