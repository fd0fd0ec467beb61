// SPDX-License-Identifier: Apache-2.0
#include "base/model_path.hpp"

#include "tests/catch.hpp"

#include <cstdlib>
#include <fstream>
#include <string>

using namespace sdfleet;
namespace fs = std::filesystem;

namespace {

/// A cache with one model, at two revisions; the process's environment names it.
class Cache {
public:
    Cache()
    {
        std::string pattern = fs::temp_directory_path() / "sdfleet-cache-XXXXXX";
        root_ = ::mkdtemp(pattern.data());
        fs::create_directories(model() / "refs");
        fs::create_directories(model() / "snapshots" / "aaa111");
        fs::create_directories(model() / "snapshots" / "bbb222");
        std::ofstream(model() / "refs" / "main") << "aaa111\n";
        std::ofstream(model() / "refs" / "fp16") << "bbb222";
        std::ofstream(model() / "refs" / "gone") << "ccc333";
        std::ofstream(model() / "refs" / "evil") << "../../..";
        ::setenv("HF_HUB_CACHE", root_.c_str(), 1);
    }
    ~Cache()
    {
        ::unsetenv("HF_HUB_CACHE");
        fs::remove_all(root_);
    }
    Cache(const Cache&) = delete;
    Cache& operator=(const Cache&) = delete;

    fs::path model() const { return root_ / "models--org--name.v1"; }

private:
    fs::path root_;
};

void check_refused(const std::string& text, const std::string& says)
{
    const auto found = base::find_model_folder(text);
    CAPTURE(text);
    REQUIRE_FALSE(found);
    CHECK(found.error().code == base::ExitCode::bad_input);
    CHECK_THAT(found.error().message, StartsWith(text) && ContainsSubstring(says));
}

} // namespace

TEST_CASE("a folder is itself, a repository is its snapshot in the cache")
{
    const Cache cache;
    CHECK(*base::find_model_folder(cache.model().string()) == cache.model());
    CHECK(*base::find_model_folder("org/name.v1") == cache.model() / "snapshots" / "aaa111");
    CHECK(*base::find_model_folder("org/name.v1@fp16") == cache.model() / "snapshots" / "bbb222");
    CHECK(*base::find_model_folder("org/name.v1@bbb222") == cache.model() / "snapshots" / "bbb222");
}

TEST_CASE("what is neither is named, with the place that was looked at")
{
    const Cache cache;
    check_refused("nowhere", "no such model folder");
    check_refused("org/other", base::huggingface_cache().string());
    check_refused("org/name.v1@v2", "revision v2");
    check_refused("org/name.v1@gone", "ccc333");
    check_refused("org/name.v1@evil", "revision evil");
    check_refused("../name", "no such model folder");
    check_refused("org/name/more", "no such model folder");
    check_refused("", "no such model folder");
}

TEST_CASE("the cache is where the Hugging Face libraries look")
{
    ::setenv("HF_HOME", "/h", 1);
    CHECK(base::huggingface_cache() == "/h/hub");
    ::unsetenv("HF_HOME");
    ::setenv("XDG_CACHE_HOME", "/x", 1);
    CHECK(base::huggingface_cache() == "/x/huggingface/hub");
    ::unsetenv("XDG_CACHE_HOME");
    CHECK(base::huggingface_cache().parent_path().filename() == "huggingface");
}
