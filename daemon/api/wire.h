// Structs to JSON and back. A request is read strictly: an unknown field, a wrong type, a value out of range or a
// missing one is Error{invalid} that names the field ("photos[2].data"). An answer is read as answers should be: a
// field that this program does not know is passed over, one that is missing keeps its default, so that either side may
// be newer.
#pragma once
#include "core/json.h"
#include "daemon/api/concepts.h"
#include "daemon/api/errors.h"
#include "daemon/api/evaluations.h"
#include "daemon/api/generate.h"
#include "daemon/api/jobs.h"
#include "daemon/api/nights.h"
#include "daemon/api/status.h"
#include "daemon/api/tokens.h"
#include "daemon/api/upkeep.h"

namespace conceptd::api {

// For every struct of this folder.
template <typename T>
Json encode(const T& value);

// AddConcept, LearnAgain, RollBack, EvaluateConcept, GenerateRequest, and the requests of tokens.h and upkeep.h.
template <typename T>
T decode_request(const Json& json);

// The other way round: what the daemon answers, and Provenance.
template <typename T>
T decode_answer(const Json& json);

// {"error": {...}}
Json encode_error(const ErrorBody& body);
ErrorBody decode_error(const Json& json);

}  // namespace conceptd::api
