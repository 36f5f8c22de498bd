#include "collector/hypeman/metadata.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

namespace hypeman::tests {
namespace {

using collector::Metadata;
using collector::parse_metadata;
using namespace std::chrono_literals;

constexpr std::string_view id = "qilviffnqzck2jrim1x6s2b1";

constexpr std::string_view old_form = R"({
  "Id": "qilviffnqzck2jrim1x6s2b1",
  "Name": "my-web-server",
  "Image": "docker.io/library/nginx:latest",
  "Size": 3221225472,
  "HotplugSize": 1073741824,
  "OverlaySize": 10737418240,
  "Vcpus": 2,
  "Env": {
    "DATABASE_URL": "postgres://admin:hunter2@db/production",
    "Id": "env-id",
    "Name": "env-name",
    "HypervisorPID": "1"
  },
  "NetworkEnabled": true,
  "CreatedAt": "2025-06-01T10:20:30.123456789Z",
  "StartedAt": "2025-06-01T10:20:31Z",
  "StoppedAt": null,
  "HypervisorType": "cloud-hypervisor",
  "HypervisorPID": 2077,
  "SocketPath": "/var/lib/hypeman/guests/qilviffnqzck2jrim1x6s2b1/ch.sock",
  "DataDir": "/var/lib/hypeman/guests/qilviffnqzck2jrim1x6s2b1"
})";

constexpr std::string_view new_form = R"({
  "Id": "qilviffnqzck2jrim1x6s2b1",
  "Name": "my-web-server",
  "Size": 4294967296,
  "HotplugSize": 0,
  "Vcpus": 4,
  "NetworkEnabled": false,
  "CreatedAt": "2026-01-02T03:04:05+02:00",
  "HypervisorType": "qemu-microvm",
  "HypervisorPID": 4194304,
  "HypervisorStartTime": 18446744073709551615,
  "HypervisorBootID": "2f1c9cb8-0c54-4b5c-9a3e-5a1d3f3f0c11",
  "SocketPath": "/var/lib/hypeman/guests/qilviffnqzck2jrim1x6s2b1/qemu.sock",
  "PendingDeleteAt": null,
  "Volumes": [{"Id": "volume-id", "Size": 1}, ["Name", {"Name": [1, 2.5, null, true]}]],
  "Snapshot": {"Deep": {"Id": "x", "Vcpus": -1}, "Vcpus": "many"}
})";

/// A document with the ID and these additional members.
std::string with(std::string_view members) {
  return std::string{R"({"Id": "qilviffnqzck2jrim1x6s2b1", )"} + std::string{members} + "}";
}

TEST(Metadata, ReadsTheFormatOfOlderVersions) {
  const auto metadata = parse_metadata(old_form);
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_EQ(metadata->record.id, id);
  EXPECT_EQ(metadata->record.name, "my-web-server");
  EXPECT_EQ(metadata->record.allocated_memory_bytes, 4294967296U);
  EXPECT_EQ(metadata->record.allocated_vcpus, 2U);
  EXPECT_EQ(metadata->record.tap, "hype-qilviffn");
  EXPECT_FALSE(metadata->pending_delete);
  ASSERT_TRUE(metadata->record.process);
  EXPECT_EQ(metadata->record.process->pid, 2077);
  EXPECT_EQ(metadata->record.process->start_time_ticks, 0U);
  EXPECT_EQ(metadata->record.process->boot_id, "");
  EXPECT_EQ(metadata->record.process->socket_path,
            "/var/lib/hypeman/guests/qilviffnqzck2jrim1x6s2b1/ch.sock");
}

TEST(Metadata, ReadsTheFormatOfNewerVersions) {
  const auto metadata = parse_metadata(new_form);
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_EQ(metadata->record.id, id);
  EXPECT_EQ(metadata->record.allocated_memory_bytes, 4294967296U);
  EXPECT_EQ(metadata->record.allocated_vcpus, 4U);
  EXPECT_EQ(metadata->record.tap, "");
  EXPECT_FALSE(metadata->pending_delete);
  ASSERT_TRUE(metadata->record.process);
  EXPECT_EQ(metadata->record.process->pid, 4194304);
  EXPECT_EQ(metadata->record.process->start_time_ticks, UINT64_MAX);
  EXPECT_EQ(metadata->record.process->boot_id, "2f1c9cb8-0c54-4b5c-9a3e-5a1d3f3f0c11");
}

TEST(Metadata, OnlyTheIdIsRequired) {
  const auto metadata = parse_metadata(R"({"Id":"qilviffnqzck2jrim1x6s2b1"})");
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_EQ(metadata->record.name, "");
  EXPECT_EQ(metadata->record.allocated_memory_bytes, 0U);
  EXPECT_EQ(metadata->record.allocated_vcpus, 0U);
  EXPECT_EQ(metadata->record.tap, "");
  EXPECT_FALSE(metadata->pending_delete);
  EXPECT_FALSE(metadata->record.process);
}

TEST(Metadata, NullIsTheSameAsAbsent) {
  const auto metadata =
      parse_metadata(with(R"("Name": null, "Size": null, "HotplugSize": null, "Vcpus": null,
              "NetworkEnabled": null, "HypervisorPID": null, "HypervisorStartTime": null,
              "HypervisorBootID": null, "SocketPath": null,
              "PendingDeleteAt": null)"));
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_EQ(metadata->record.name, "");
  EXPECT_EQ(metadata->record.allocated_memory_bytes, 0U);
  EXPECT_EQ(metadata->record.tap, "");
  EXPECT_FALSE(metadata->pending_delete);
  EXPECT_FALSE(metadata->record.process);
}

TEST(Metadata, WithoutAnIdThereIsNoInstance) {
  for (const auto* text :
       {R"({})", R"({"Name": "web"})", R"({"Id": null})", R"({"Id": ""})",
        R"({"Env": {"Id": "qilviffnqzck2jrim1x6s2b1"}})", R"([{"Id": "qilviffnqzck2jrim1x6s2b1"}])",
        R"("qilviffnqzck2jrim1x6s2b1")", R"(null)", R"(5)", R"(true)", R"([])"}) {
    EXPECT_FALSE(parse_metadata(text)) << text;
  }
}

TEST(Metadata, AnIdThatCannotBeADirectoryNameIsRefused) {
  for (const auto* bad : {"..", ".", "a/b", "../x", "A1", "1a", "a b", "a-b", "by-name", "a\\u0000",
                          "abc\\n", "abcdefghijklmnopqrstuvwxyz0123456789"}) {
    EXPECT_FALSE(parse_metadata(R"({"Id": ")" + std::string{bad} + R"("})")) << bad;
  }
}

TEST(Metadata, UnknownKeysAreSkippedWithAnyValue) {
  for (const auto* value :
       {"{}", "[]", R"({"Id": "other", "Size": -1})", R"([{"Id": {"Id": []}}, "Id", 1, -1, 1.5])",
        "-1", "1.5", "1e300", "123456789012345678901234567890", "true", "null", R"("")",
        R"("\u0000\ud83d\ude00")"}) {
    const auto metadata = parse_metadata(R"({"Before": )" + std::string{value} +
                                         R"(, "Id": "qilviffnqzck2jrim1x6s2b1", "After": )" +
                                         value + R"(, "Size": 7})");
    ASSERT_TRUE(metadata) << value << ": " << metadata.error();
    EXPECT_EQ(metadata->record.id, id);
    EXPECT_EQ(metadata->record.allocated_memory_bytes, 7U) << value;
  }
}

TEST(Metadata, KeysOfNestedObjectsAreIgnored) {
  const auto metadata = parse_metadata(
      R"({"Env": {"Id": "other", "Name": "other", "Size": 5, "PendingDeleteAt": "now",
                  "HypervisorPID": 1, "NetworkEnabled": true},
          "List": [{"Id": "other", "HypervisorPID": 1}, "Name", "other"],
          "Id": "qilviffnqzck2jrim1x6s2b1"})");
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_EQ(metadata->record.id, id);
  EXPECT_EQ(metadata->record.name, "");
  EXPECT_EQ(metadata->record.allocated_memory_bytes, 0U);
  EXPECT_FALSE(metadata->pending_delete);
  EXPECT_EQ(metadata->record.tap, "");
  EXPECT_FALSE(metadata->record.process);
}

TEST(Metadata, KeysAreCaseSensitiveAndWhole) {
  const auto metadata =
      parse_metadata(with(R"("name": "a", "NAME": "b", "Name2": "c", "Nam": "d", "": "e")"));
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_EQ(metadata->record.name, "");
}

TEST(Metadata, AWrongTypeIsRefused) {
  constexpr std::array texts{"Id", "Name", "HypervisorBootID", "SocketPath", "PendingDeleteAt"};
  constexpr std::array numbers{"Size", "HotplugSize", "Vcpus", "HypervisorPID",
                               "HypervisorStartTime"};
  const auto refused = [](const std::string& key, const std::string& value) {
    const auto metadata = parse_metadata(with("\"" + key + "\": " + value));
    EXPECT_FALSE(metadata) << key << ": " << value;
    if (!metadata) {
      EXPECT_NE(metadata.error().find(key), std::string::npos) << metadata.error();
    }
  };
  for (const auto* key : texts) {
    for (const auto* value :
         {"1", "-1", "1.5", "true", "{}", "[]", R"(["web"])", R"({"a": "b"})"}) {
      refused(key, value);
    }
  }
  for (const auto* key : numbers) {
    for (const auto* value :
         {R"("1")", "true", "{}", "[]", "[1]", R"({"a": 1})", "-1", "1.5", "1e2",
          "18446744073709551616", "1e300", "123456789012345678901234567890"}) {
      refused(key, value);
    }
  }
  for (const auto* value : {"0", "1", "1.0", R"("true")", "{}", "[]", "[true]"}) {
    refused("NetworkEnabled", value);
  }
}

TEST(Metadata, MemoryCanBeTheLargestNumberOfTheApi) {
  const auto metadata =
      parse_metadata(with(R"("Size": 9223372036854775806, "HotplugSize": 1, "Vcpus": 9999)"));
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_EQ(metadata->record.allocated_memory_bytes, 9223372036854775807U);
  EXPECT_EQ(metadata->record.allocated_vcpus, 9999U);
}

TEST(Metadata, MemoryDoesNotWrapAround) {
  EXPECT_FALSE(parse_metadata(with(R"("Size": 9223372036854775807, "HotplugSize": 1)")));
  EXPECT_FALSE(
      parse_metadata(with(R"("Size": 9223372036854775807, "HotplugSize": 9223372036854775807)")));
  EXPECT_FALSE(parse_metadata(with(R"("Size": 9223372036854775808)")));
  EXPECT_FALSE(parse_metadata(with(R"("Vcpus": 9223372036854775808)")));
}

TEST(Metadata, APidAboveTheKernelsLimitIsRefused) {
  EXPECT_FALSE(parse_metadata(with(R"("HypervisorPID": 4194305)")));
  // Truncated to 32 bits, this would be PID 1.
  EXPECT_FALSE(parse_metadata(with(R"("HypervisorPID": 4294967297)")));
}

TEST(Metadata, PidZeroIsNotRunning) {
  const auto metadata = parse_metadata(with(R"("HypervisorPID": 0, "HypervisorStartTime": 5)"));
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_FALSE(metadata->record.process);
}

TEST(Metadata, NumbersAboveTheRangeOfADoubleAreRefused) {
  EXPECT_FALSE(parse_metadata(with(R"("Size": 1e400)")));
  EXPECT_FALSE(parse_metadata(with(R"("Size": -1e400)")));
  EXPECT_FALSE(parse_metadata(with("\"Size\": 1" + std::string(100'000, '0'))));
}

std::string state_of(const std::string& phases) {
  const auto metadata =
      parse_metadata(R"({"Id":"qilviffnqzck2jrim1x6s2b1","phases":)" + phases + "}");
  return metadata ? metadata->record.state_while_running : metadata.error();
}

TEST(Metadata, StateWhileRunningIsThePhase) {
  for (const std::string word : {"created", "initializing", "running", "paused", "shutdown"}) {
    EXPECT_EQ(state_of(R"({"since":"2026-01-01T00:00:00Z","current":")" + word + "\"}"), word);
  }
}

TEST(Metadata, AnyOtherPhaseIsRunning) {
  for (const auto* const phases :
       {"null", "{}", "7", R"("paused")", R"(["paused"])", R"({"current":null})",
        R"({"current":7})", R"({"current":"standby"})", R"({"current":"stopped"})",
        R"({"current":"Paused"})", R"({"current":{"current":"paused"}})",
        R"([{"current":"paused"}])", R"({"cumulative":{"current":"paused"}})"}) {
    EXPECT_EQ(state_of(phases), "running") << phases;
  }
  const auto outermost = parse_metadata(
      R"({"Id":"qilviffnqzck2jrim1x6s2b1","current":"paused","x":{"current":"paused"}})");
  EXPECT_EQ(outermost.value().record.state_while_running, "running");
}

TEST(Metadata, DeepNestingDoesNotOverflowTheStack) {
  constexpr std::size_t levels = 100'000;
  const auto arrays = std::string(levels, '[') + std::string(levels, ']');
  const auto metadata = parse_metadata(with("\"Deep\": " + arrays + R"(, "Name": "web")"));
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_EQ(metadata->record.name, "web");

  std::string objects;
  for (std::size_t level = 0; level < levels; ++level) {
    objects += R"({"Id":)";
  }
  EXPECT_TRUE(parse_metadata(with("\"Deep\": " + objects + "1" + std::string(levels, '}'))));
  EXPECT_FALSE(parse_metadata(with("\"Name\": " + arrays)));
  EXPECT_FALSE(parse_metadata(std::string(levels, '[')));
  EXPECT_FALSE(parse_metadata(objects));
}

TEST(Metadata, TheLastOfDuplicateKeysWins) {
  const auto metadata = parse_metadata(
      R"({"Id": "other", "Name": "a", "Size": 1, "Id": "qilviffnqzck2jrim1x6s2b1", "Name": "b",
          "Size": 2})");
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_EQ(metadata->record.id, id);
  EXPECT_EQ(metadata->record.name, "b");
  EXPECT_EQ(metadata->record.allocated_memory_bytes, 2U);
}

TEST(Metadata, ABadDuplicateIsAlsoRefused) {
  EXPECT_FALSE(parse_metadata(with(R"("Size": -1, "Size": 1)")));
}

TEST(Metadata, InvalidUtf8IsRefused) {
  for (const auto* bytes :
       {"\xff", "\xc3", "\xc3\x28", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xc0\xaf", "\xe2\x82"}) {
    EXPECT_FALSE(parse_metadata(with(R"("Name": ")" + std::string{bytes} + "\"")));
  }
}

TEST(Metadata, LoneSurrogatesAreRefused) {
  EXPECT_FALSE(parse_metadata(with(R"("Name": "\ud800")")));
  EXPECT_FALSE(parse_metadata(with(R"("Name": "\udc00")")));
}

TEST(Metadata, RawControlCharactersAreRefused) {
  EXPECT_FALSE(parse_metadata(with("\"Name\": \"a\nb\"")));
  EXPECT_FALSE(parse_metadata(with(R"("Name": ")" + std::string(1, '\0') + "\"")));
}

TEST(Metadata, EscapedCharactersOfNamesAreKept) {
  const auto metadata = parse_metadata(with(R"("Name": "a\u0000b\n\"\\\u00e9\ud83d\ude00")"));
  ASSERT_TRUE(metadata) << metadata.error();
  using namespace std::string_literals;
  EXPECT_EQ(metadata->record.name, "a\0b\n\"\\\u00e9\U0001F600"s);
}

TEST(Metadata, NamesMayHaveUpTo255Bytes) {
  const auto metadata = parse_metadata(with(R"("Name": ")" + std::string(255, 'n') + "\""));
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_EQ(metadata->record.name, std::string(255, 'n'));
  EXPECT_FALSE(parse_metadata(with(R"("Name": ")" + std::string(256, 'n') + "\"")));
  // Bytes, not characters.
  std::string accented;
  for (int i = 0; i < 128; ++i) {
    accented += "\u00e9";
  }
  EXPECT_FALSE(parse_metadata(with(R"("Name": ")" + accented + "\"")));
}

TEST(Metadata, SocketPathsMayHaveUpToPathMaxBytes) {
  EXPECT_TRUE(parse_metadata(with("\"SocketPath\": \"/" + std::string(4095, 's') + "\"")));
  EXPECT_FALSE(parse_metadata(with("\"SocketPath\": \"/" + std::string(4096, 's') + "\"")));
}

TEST(Metadata, TrailingGarbageIsRefused) {
  for (const auto* tail : {"x", "}", "{}", ",", "\"", "1", "null"}) {
    EXPECT_FALSE(parse_metadata(std::string{old_form} + tail)) << tail;
  }
  EXPECT_TRUE(parse_metadata(std::string{old_form} + " \n\t\r\n"));
}

TEST(Metadata, EveryTruncatedTextIsRefused) {
  for (const auto form : {old_form, new_form}) {
    ASSERT_TRUE(parse_metadata(form));
    for (std::size_t length = 0; length < form.size(); ++length) {
      EXPECT_FALSE(parse_metadata(form.substr(0, length))) << form.substr(0, length);
    }
  }
}

TEST(Metadata, AFileOfZerosIsRefused) {
  // A file system may show this after a crash.
  EXPECT_FALSE(parse_metadata(std::string(4096, '\0')));
  EXPECT_FALSE(parse_metadata(std::string{old_form.substr(0, 100)} + std::string(600, '\0')));
}

TEST(Metadata, ExtensionsOfJsonAreRefused) {
  for (const auto* members :
       {R"("Size": 01)", R"("Size": +1)", R"("Size": 0x1)", R"("Size": NaN)", R"("Size": Infinity)",
        R"("Size": 1,)", R"(Size: 1)", R"('Size': 1)", R"("Size" 1)", R"("Size": 1 /* one */)"}) {
    EXPECT_FALSE(parse_metadata(with(members))) << members;
  }
}

TEST(Metadata, AnErrorQuotesNothingOfTheFile) {
  // Wherever the text is truncated, broken or of a wrong type, the error must not contain a secret.
  constexpr std::string_view secret = "hunter2";
  const auto quotes = [](const std::string& text, std::string_view quoted) {
    const auto metadata = parse_metadata(text);
    return !metadata && metadata.error().find(quoted) != std::string::npos;
  };
  for (std::size_t length = 0; length < old_form.size(); ++length) {
    EXPECT_FALSE(quotes(std::string{old_form.substr(0, length)}, secret)) << length;
    std::string broken{old_form};
    broken[length] = '\x01';
    EXPECT_FALSE(quotes(broken, secret)) << length;
    EXPECT_FALSE(quotes(broken, "postgres")) << length;
    EXPECT_FALSE(quotes(broken, "web")) << length;
  }
  for (const auto* key : {"Id", "Size", "Vcpus", "HypervisorPID", "NetworkEnabled"}) {
    EXPECT_FALSE(quotes(with("\"" + std::string{key} + R"(": "hunter2")"), secret)) << key;
    EXPECT_FALSE(quotes(with("\"" + std::string{key} + R"(": hunter2)"), secret)) << key;
  }
  EXPECT_FALSE(quotes(with(R"("Size": -31415)"), "31415"));
  EXPECT_FALSE(quotes(with(R"("Size": 31415e400)"), "31415"));
  EXPECT_FALSE(quotes(R"({"Id": "../hunter2"})", secret));
  EXPECT_FALSE(quotes(with(R"("hunter2": -)"), secret));
  EXPECT_FALSE(quotes(with("\"Name\": \"hunter2\xff\""), secret));
}

TEST(Metadata, AnErrorIsOneLine) {
  for (const std::string text : {"", "{\n\n", "[\n\n}", "{\n\"Size\":\n[1]\n}", "\n"}) {
    const auto metadata = parse_metadata(text);
    ASSERT_FALSE(metadata);
    EXPECT_NE(metadata.error(), "");
    EXPECT_EQ(metadata.error().find('\n'), std::string::npos) << metadata.error();
  }
}

TEST(MetadataPendingDelete, IsSetByAnyTime) {
  const auto metadata = parse_metadata(with(R"("PendingDeleteAt": "2026-01-02T03:04:05Z")"));
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_TRUE(metadata->pending_delete);
}

TEST(TapName, IsTheFirstEightCharactersOfTheId) {
  EXPECT_EQ(collector::tap_name("qilviffnqzck2jrim1x6s2b1"), "hype-qilviffn");
  EXPECT_EQ(collector::tap_name("qilviffn"), "hype-qilviffn");
}

TEST(TapName, IsTheWholeOfAShortId) {
  EXPECT_EQ(collector::tap_name("ab"), "hype-ab");
}

TEST(TapName, IsLowerCase) {
  EXPECT_EQ(collector::tap_name("QilVIFFNqzck"), "hype-qilviffn");
}

TEST(MetadataPendingDelete, IsNotSetByNullOrNothing) {
  for (const auto* value : {"null", R"("")"}) {
    const auto metadata = parse_metadata(with("\"PendingDeleteAt\": " + std::string{value}));
    ASSERT_TRUE(metadata) << metadata.error();
    EXPECT_FALSE(metadata->pending_delete) << value;
  }
}

TEST(Metadata, ANulDoesNotEndTheText) {
  EXPECT_FALSE(parse_metadata(std::string{old_form} + std::string(1, '\0')));
  EXPECT_FALSE(parse_metadata(std::string{old_form} + '\0' + R"(garbage "Id")"));
}

TEST(Metadata, ANullAfterAPidRemovesItAsInHypemansDecoder) {
  const auto metadata = parse_metadata(with(R"("HypervisorPID": 5, "HypervisorPID": null)"));
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_FALSE(metadata->record.process);
}

}  // namespace
}  // namespace hypeman::tests
