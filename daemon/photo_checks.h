// The photos of a request, before anything of it is stored: each decoded whole in a process that may crash, and looked
// at for what makes a concept hard to learn.
#pragma once
#include <string>
#include <vector>

#include "daemon/api/concepts.h"
#include "daemon/photo_decoder.h"
#include "daemon/services.h"

namespace conceptd::daemon {

struct CheckedPhotos {
  std::vector<registry::NewPhoto> photos{};
  std::vector<std::string> warnings{};
};

// Moves the bytes out of the uploads. Error{invalid, "photos[2]"}: that one is no photo, breaks a limit or ended the
// process that decoded it; Error{unavailable}: there is no such process.
CheckedPhotos check_photos(const Services& services, std::vector<api::PhotoUpload>& uploads);

// What facts let one foresee: photos that show nothing, show the same, are cut hard, or say where they were taken.
// who[i] is how photo i is called in a sentence.
std::vector<std::string> warnings_about(const std::vector<picture::PhotoFacts>& facts,
                                        const std::vector<std::string>& who);

// A name that looks like one of the known ones, because of letters that look alike (0 o, 1 l i, rn m, - _ .); empty:
// none does.
std::string look_alike(const std::string& name, const std::vector<std::string>& known);

}  // namespace conceptd::daemon
