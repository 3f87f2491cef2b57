// Files that a user names: photos and pictures to read, pictures to write. What is wrong with them is the user's to
// mend, so it is Error{invalid} with the file and the system's own reason; never a sentence about the daemon.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

namespace conceptd::cli {

// As read_file() of core/file_io, with that code for a file that cannot be opened or read.
std::string read_user_file(const std::filesystem::path& path, std::uint64_t limit_bytes);

// Before a long wait for what is to be written: makes the folder, and refuses a target that cannot be written. A path
// that ends with a slash, or is a folder, stands for a file in it.
void prepare_output(const std::filesystem::path& path, const std::string& field);

// Error{unavailable} if the disk is full.
void write_output(const std::filesystem::path& path, const std::string& bytes, const std::string& field);

}  // namespace conceptd::cli
