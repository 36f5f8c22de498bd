#include "tests/httpbridge/support/signed_token.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace hypeman::httpbridge::testing {

std::string base64url(std::string_view bytes) {
  const std::vector<unsigned char> in(bytes.begin(), bytes.end());
  std::vector<unsigned char> out(4 * (in.size() / 3 + 1) + 1);
  const int size = EVP_EncodeBlock(out.data(), in.data(), static_cast<int>(in.size()));
  std::string text(out.begin(), out.begin() + size);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  text.erase(std::find(text.begin(), text.end(), '='), text.end());
  return text;
}

std::string signed_token(std::string_view header, std::string_view claims, std::string_view secret,
                         const char* hash) {
  const std::string text = base64url(header) + "." + base64url(claims);
  const std::vector<unsigned char> input(text.begin(), text.end());
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  HMAC(EVP_get_digestbyname(hash), secret.data(), static_cast<int>(secret.size()), input.data(),
       input.size(), mac.data(), &size);
  return text + "." + base64url({reinterpret_cast<const char*>(mac.data()), size});
}

std::string hs256_token(std::string_view claims, std::string_view secret) {
  return signed_token(R"({"alg":"HS256","typ":"JWT"})", claims, secret);
}

}  // namespace hypeman::httpbridge::testing
