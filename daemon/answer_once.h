// A request with an Idempotency-Key is done once: sent again by the same caller to the same path, with the same body,
// it is answered as it was the first time.
#pragma once
#include <functional>

#include "daemon/http_message.h"
#include "registry/answer_store.h"

namespace conceptd::daemon {

// Without a key, answer(). Only what was done is kept: what was refused may be tried again under the same key, and
// after a failure nobody knows. Error{invalid, "Idempotency-Key"} for a key that is none, and what AnswerStore::begin()
// throws.
HttpResponse answer_once(registry::AnswerStore& answers, const HttpRequest& request,
                         const std::function<HttpResponse()>& answer);

}  // namespace conceptd::daemon
