// From a request to its answer: one table of method, path and the role that it needs, one function for each in
// routes_*.cpp. Whatever fails is an ErrorBody with the status of its code.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "daemon/access.h"
#include "daemon/api/concepts.h"
#include "daemon/api/errors.h"
#include "daemon/api/jobs.h"
#include "daemon/api/status.h"
#include "daemon/http_message.h"
#include "daemon/services.h"

namespace conceptd::daemon {

class Routes {
 public:
  explicit Routes(Services services) : services_(services) {}

  void handle(HttpRequest request, const Respond& respond) const;
  // For what is not there: the lowest role, so that only callers learn that it is not.
  static RouteNeeds needs(const std::string& method, const std::string& path);
  // at_once: "/healthz", which waits for nothing, so no other request can hold it up.
  static Lane lane(const std::string& method, const std::string& path);
  static HttpResponse refuse(int status, const std::string& message);

  struct Listed {
    std::string_view method;
    std::string_view pattern;  // below /api/v1/: "concepts/{}/learn"
    registry::Role role;
  };
  static std::vector<Listed> all();

 private:
  void answer(const HttpRequest& request, const Respond& respond) const;
  const Services services_;
};

// What the functions of routes_*.cpp share.
HttpResponse json_response(const Json& body, int status = 200);
HttpResponse error_response(const Error& error, std::vector<std::string> suggestions = {});
Json body_of(const HttpRequest& request);  // Error{invalid} if it is not a JSON object
// A whole number above 0, or what is wrong with the field.
std::int64_t number_of(const std::string& text, const char* field);

// `id` is what stands for {name} or {id} in the path.
HttpResponse add_concept(const Services& services, const HttpRequest& request);
HttpResponse list_concepts(const Services& services);
HttpResponse show_concept(const Services& services, const std::string& id);
HttpResponse concept_history(const Services& services, const std::string& id);
HttpResponse learn_again(const Services& services, const HttpRequest& request, const std::string& id);
HttpResponse evaluate_concept(const Services& services, const HttpRequest& request, const std::string& id);
HttpResponse show_evaluation(const Services& services, const std::string& id);
HttpResponse evaluation_sheet(const Services& services, const std::string& id);
HttpResponse cancel_evaluation(const Services& services, const HttpRequest& request, const std::string& id);
HttpResponse roll_back(const Services& services, const HttpRequest& request, const std::string& id);
HttpResponse roll_back_state(const Services& services, const HttpRequest& request, const std::string& id);
HttpResponse pin_concept(const Services& services, const HttpRequest& request, const std::string& id);
HttpResponse unpin_concept(const Services& services, const HttpRequest& request, const std::string& id);
HttpResponse promote(const Services& services, const HttpRequest& request, const std::string& id);
HttpResponse list_aliases(const Services& services, const std::string& id);
HttpResponse set_alias(const Services& services, const HttpRequest& request, const std::string& id);
HttpResponse remove_alias(const Services& services, const HttpRequest& request, const std::string& id);
HttpResponse remove_concept(const Services& services, const HttpRequest& request, const std::string& id);
HttpResponse undelete_concept(const Services& services, const HttpRequest& request, const std::string& id);
HttpResponse diff(const Services& services, const HttpRequest& request);
HttpResponse collect_garbage(const Services& services, const HttpRequest& request);
HttpResponse verify(const Services& services, const HttpRequest& request);
HttpResponse list_audit(const Services& services, const HttpRequest& request);
HttpResponse back_up(const Services& services, const HttpRequest& request);
HttpResponse list_jobs(const Services& services, const HttpRequest& request);
HttpResponse show_job(const Services& services, const std::string& id);
HttpResponse cancel_job(const Services& services, const HttpRequest& request, const std::string& id);
HttpResponse job_preview(const Services& services, const std::string& id);
HttpResponse switch_learning(const Services& services, const HttpRequest& request, const std::string& id);
// Whether requests make sense now: 200, or 503 with the checks that fail.
HttpResponse show_readiness(const Services& services);
HttpResponse show_metrics(const Services& services);
HttpResponse show_status(const Services& services);
HttpResponse create_token(const Services& services, const HttpRequest& request);
HttpResponse list_tokens(const Services& services);
HttpResponse revoke_token(const Services& services, const HttpRequest& request, const std::string& id);
HttpResponse export_pack(const Services& services, const HttpRequest& request);
HttpResponse import_pack(const Services& services, const HttpRequest& request);
HttpResponse list_nights(const Services& services, const HttpRequest& request);
HttpResponse hold_night(const Services& services, const HttpRequest& request);
HttpResponse show_night(const Services& services, const std::string& id);
HttpResponse report_night(const Services& services, const std::string& id);
// Answers later, when the pictures are made.
void generate(const Services& services, const HttpRequest& request, const Respond& respond);

// The concept as clients see it, in the state that is published now.
api::ConceptSummary summary_now(const Services& services, const registry::ConceptRecord& record);
// The methods of learning, and how long the last jobs of each took that ended well.
std::vector<api::MethodInfo> methods_of(const Services& services);
std::optional<api::WindowInfo> window_now(const Services& services);
std::optional<api::PauseInfo> pause_now(const Services& services);
// The job as clients see it, with the newest progress.
api::JobInfo job_info(const Services& services, const registry::Job& job);

}  // namespace conceptd::daemon
