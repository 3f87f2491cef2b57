#include "core/secret.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "core/error.h"

namespace conceptd {

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1)
    throw Error(Code::internal, "the system has no randomness to make a secret of");
  return bytes;
}

bool equal_in_constant_time(std::string_view one, std::string_view other) noexcept {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace conceptd
