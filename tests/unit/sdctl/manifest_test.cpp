// SPDX-License-Identifier: Apache-2.0
#include "sdctl/manifest.hpp"
#include "tests/unit/sdctl/scratch_folder.hpp"

#include "tests/catch.hpp"

namespace proto = sdfleet::proto;
namespace sdctl = sdfleet::sdctl;
using sdctl::Manifest;
using sdctl::ManifestEntry;
using sdfleet::tests::ScratchFolder;

namespace {

ManifestEntry picture(std::uint32_t index)
{
    ManifestEntry entry;
    entry.index = index;
    entry.prompt = "a \"quoted\" gr\xC3\xBCn dog";
    entry.seed = 18'446'744'073'709'551'615U;
    entry.model = "tiny";
    entry.model_fingerprint = "f00";
    entry.parameters.kind =
        proto::DiffusionParameters{"blurred", 20, 0.1, 64, 128, "euler", proto::PromptSyntax::a1111, 2};
    entry.file = "000001-44.png";
    entry.sha256 = "abc";
    entry.node = "node-a";
    entry.actor = "node-a/1";
    entry.elapsed_ms = 512;
    entry.job = "job";
    return entry;
}

ManifestEntry failure(std::uint32_t index)
{
    auto entry = picture(index);
    entry.file.clear();
    entry.sha256.clear();
    entry.error = "out of memory";
    return entry;
}

} // namespace

TEST_CASE("An entry survives its way through a line")
{
    auto echo = picture(3);
    echo.parameters.kind = proto::EchoParameters{5, 6};
    auto plain = picture(4);
    plain.parameters.kind = proto::DiffusionParameters{};

    for (const auto& entry : {picture(1), failure(2), echo, plain}) {
        CHECK(sdctl::parse_manifest_line(to_json(entry).dump()) == entry);
    }
}

TEST_CASE("A manifest line has the documented keys")
{
    const auto line = to_json(picture(7));

    for (const char* key : {"index", "prompt", "negative_prompt", "seed", "file", "sha256", "node", "actor", "ms"}) {
        CHECK(line.contains(key));
    }
    CHECK_FALSE(line.contains("error"));
    CHECK(to_json(failure(7)).at("error") == "out of memory");
}

TEST_CASE("A line that is not a whole entry is none")
{
    const auto line = to_json(picture(1)).dump();

    for (std::size_t length = 0; length < line.size(); ++length) {
        CHECK_FALSE(sdctl::parse_manifest_line(line.substr(0, length)));
    }
    for (const char* wrong : {"[]", "3", "{}", "null", R"({"index":-1,"prompt":"","seed":0})", R"({"index":"x"})"}) {
        CHECK_FALSE(sdctl::parse_manifest_line(wrong));
    }
}

TEST_CASE("A folder without manifest has an empty one")
{
    const ScratchFolder folder;

    CHECK(Manifest::load(folder.path()).value().entries().empty());
    CHECK(Manifest::load(folder.path() / "nowhere").value().entries().empty());
}

TEST_CASE("Entries are appended as they come and sorted in the end")
{
    const ScratchFolder folder;
    auto manifest = Manifest::load(folder.path()).value();

    REQUIRE(manifest.add(picture(2)));
    REQUIRE(manifest.add(picture(0)));
    CHECK(Manifest::load(folder.path()).value().entries() == manifest.entries());
    CHECK(folder.read("manifest.jsonl").find("{\"index\":2") == 0);
    REQUIRE(manifest.save());

    CHECK(folder.read("manifest.jsonl").find("{\"index\":0") == 0);
    CHECK(Manifest::load(folder.path()).value().entries() == manifest.entries());
}

TEST_CASE("Damaged lines cost only themselves, and a later line replaces an earlier one")
{
    const ScratchFolder folder;
    const auto good = to_json(picture(0)).dump();
    const auto failed = to_json(failure(5)).dump();
    const auto drawn = to_json(picture(5)).dump();
    folder.write("manifest.jsonl", good + "\nnonsense\n\n" + failed + "\n" + drawn + "\n" + good.substr(0, 40));

    const auto entries = Manifest::load(folder.path()).value().entries();

    CHECK(entries == Manifest::Entries{{0, picture(0)}, {5, picture(5)}});
}

TEST_CASE("File names sort in the order of the prompts")
{
    CHECK(sdctl::picture_file_name(2, 44, ".png") == "000002-44.png");
    CHECK(sdctl::picture_file_name(1'234'567, 18'446'744'073'709'551'615U, ".bin") ==
          "1234567-18446744073709551615.bin");
}
