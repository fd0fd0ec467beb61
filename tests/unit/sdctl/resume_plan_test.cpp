// SPDX-License-Identifier: Apache-2.0
#include "sdctl/resume_plan.hpp"

#include "tests/catch.hpp"

namespace proto = sdfleet::proto;
namespace sdctl = sdfleet::sdctl;
using Indices = std::vector<std::uint32_t>;

namespace {

/// Three prompts, and a folder that holds a picture of each.
struct Fixture {
    proto::JobSpec wanted{"tiny", proto::Split::pull, {}, {{"a", 7, {}}, {"b", 8, {}}, {"c", 9, {}}}};
    sdctl::Manifest::Entries there;
    std::map<std::string, std::string> hashes; ///< of the files in the folder

    Fixture()
    {
        for (std::uint32_t index = 0; index < wanted.items.size(); ++index) {
            sdctl::ManifestEntry entry;
            entry.index = index;
            entry.prompt = wanted.items[index].prompt;
            entry.seed = wanted.items[index].seed;
            entry.model = wanted.model;
            entry.model_fingerprint = "print";
            entry.file = std::to_string(index) + ".png";
            entry.sha256 = "hash " + std::to_string(index);
            hashes[entry.file] = entry.sha256;
            there.emplace(index, entry);
        }
    }

    sdctl::ResumePlan plan(const std::string& fingerprint = "print") const
    {
        return sdctl::plan_resume(wanted, fingerprint, there,
                                  [this](const std::string& file) -> std::optional<std::string> {
                                      const auto found = hashes.find(file);
                                      return found == hashes.end() ? std::nullopt : std::optional(found->second);
                                  });
    }
};

} // namespace

TEST_CASE("Pictures that are there already are not drawn again")
{
    const Fixture folder;

    const auto plan = folder.plan();

    CHECK(plan.missing.empty());
    CHECK(plan.kept == folder.there);
}

TEST_CASE("An empty folder misses everything")
{
    Fixture folder;
    folder.there.clear();

    CHECK(folder.plan().missing == Indices{0, 1, 2});
}

TEST_CASE("A picture is drawn again when its file is gone or changed")
{
    Fixture folder;
    folder.hashes.erase("0.png");
    folder.hashes["2.png"] = "other";

    const auto plan = folder.plan();

    CHECK(plan.missing == Indices{0, 2});
    CHECK(plan.kept.size() == 1);
    CHECK(plan.replaced == 1);
}

TEST_CASE("A picture that failed is tried again")
{
    Fixture folder;
    folder.there.at(1).error = "out of memory";

    CHECK(folder.plan().missing == Indices{1});
}

TEST_CASE("A picture is drawn again when anything that it depends on changed")
{
    Fixture folder;

    SECTION("prompt")
    {
        folder.wanted.items[1].prompt = "other";
    }
    SECTION("seed")
    {
        folder.wanted.items[1].seed = 1;
    }
    CHECK(folder.plan().missing == Indices{1});
}

TEST_CASE("All pictures are drawn again when the model or a parameter changed")
{
    Fixture folder;
    proto::DiffusionParameters parameters;

    SECTION("model")
    {
        folder.wanted.model = "other";
    }
    SECTION("steps")
    {
        parameters.num_inference_steps = 3;
    }
    SECTION("guidance scale")
    {
        parameters.guidance_scale = 3;
    }
    SECTION("size")
    {
        parameters.width = 64;
    }
    SECTION("scheduler")
    {
        parameters.scheduler = "euler";
    }
    SECTION("negative prompt")
    {
        parameters.negative_prompt = "grey";
    }
    folder.wanted.parameters.kind = parameters;
    CHECK(folder.plan().missing == Indices{0, 1, 2});
}

TEST_CASE("A model folder with other content under the same name is another model, if it is known")
{
    const Fixture folder;

    CHECK(folder.plan("other").missing == Indices{0, 1, 2});
    CHECK(folder.plan("").missing.empty());
}

TEST_CASE("Pictures beyond the wanted ones do not matter")
{
    Fixture folder;
    folder.wanted.items.pop_back();

    const auto plan = folder.plan();

    CHECK(plan.missing.empty());
    CHECK(plan.kept.size() == 2);
}

TEST_CASE("The job that is handed in holds only what is missing, with its seeds and ranks")
{
    Fixture folder;
    folder.wanted.split = proto::Split::rank;
    folder.wanted.items[2].rank = 4;

    const auto spec = sdctl::select_items(folder.wanted, {0, 2});

    CHECK(spec.items == std::vector<proto::ItemSpec>{{"a", 7, {}}, {"c", 9, 4}});
    CHECK(spec.split == proto::Split::rank);
    CHECK(spec.model == "tiny");
}
