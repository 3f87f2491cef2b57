// A key and a certificate that it has signed itself, as a small site has them, in two files of a folder.
#pragma once
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace conceptd::test {

struct Certificate {
  std::filesystem::path certificate;
  std::filesystem::path key;
};

// names: "DNS:localhost,IP:127.0.0.1".
inline Certificate make_certificate(const std::filesystem::path& folder, const std::string& file,
                                    const std::string& names = "DNS:localhost,IP:127.0.0.1") {
  const Certificate made{.certificate = folder / (file + ".pem"), .key = folder / (file + ".key")};
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(file.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  const bool is_signed = X509_sign(certificate, key, EVP_sha256()) > 0;
  FILE* certificate_file = std::fopen(made.certificate.c_str(), "w");
  FILE* key_file = std::fopen(made.key.c_str(), "w");
  const bool is_written = certificate_file && key_file && PEM_write_X509(certificate_file, certificate) == 1 &&
                          PEM_write_PrivateKey(key_file, key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
  if (certificate_file) std::fclose(certificate_file);
  if (key_file) std::fclose(key_file);
  ::chmod(made.key.c_str(), 0600);
  X509_free(certificate);
  EVP_PKEY_free(key);
  if (!is_signed || !is_written) throw std::runtime_error("no certificate could be made");
  return made;
}

}  // namespace conceptd::test
