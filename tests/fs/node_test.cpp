#include "fs/tree/node.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

namespace hypeman::tests {
namespace {

using fs::ByNameNode;
using fs::FileNode;
using fs::Inode;
using fs::InstanceFile;
using fs::InstanceNode;
using fs::LinkNode;
using fs::MetricsNode;
using fs::Node;
using fs::NodeTable;
using fs::RootNode;

const std::string id = "qilviffnqzck2jrim1x6s2b1";

/// Every node that has to do with a text, as an ID and as a name.
std::vector<Node> nodes_of(const std::string& text) {
  std::vector<Node> nodes{InstanceNode{text}, LinkNode{text}};
  for (std::size_t index = 0; index < InstanceFile::count; ++index) {
    nodes.emplace_back(FileNode{text, InstanceFile{index}});
  }
  return nodes;
}

struct Describe {
  std::string operator()(const RootNode& /*node*/) const { return "root"; }
  std::string operator()(const ByNameNode& /*node*/) const { return "by-name"; }
  std::string operator()(const MetricsNode& /*node*/) const { return "metrics.prom"; }
  std::string operator()(const InstanceNode& node) const { return "instance " + node.id; }
  std::string operator()(const FileNode& node) const {
    return "file " + node.id + "/" + std::string{node.file.name()};
  }
  std::string operator()(const LinkNode& node) const { return "link " + node.name; }
};

std::string describe(const Node& node) {
  return std::visit(Describe{}, node);
}

std::string found(const NodeTable& table, Inode inode) {
  const auto node = table.find(inode);
  return node ? describe(*node) : "nothing";
}

TEST(NodeTable, TheRootIsWhatFuseCallsIt) {
  const NodeTable table;
  EXPECT_EQ(NodeTable::number_of(RootNode{}), 1U);
  EXPECT_EQ(found(table, 1), "root");
}

TEST(NodeTable, WhatIsFixedIsAlwaysThere) {
  NodeTable table;
  EXPECT_EQ(table.acquire(ByNameNode{}), NodeTable::number_of(ByNameNode{}));
  EXPECT_EQ(table.acquire(RootNode{}), NodeTable::number_of(RootNode{}));
  table.release(NodeTable::number_of(ByNameNode{}), 1000);
  table.release(NodeTable::number_of(RootNode{}), 1000);
  EXPECT_EQ(found(table, NodeTable::number_of(ByNameNode{})), "by-name");
  EXPECT_EQ(found(table, NodeTable::number_of(MetricsNode{})), "metrics.prom");
  EXPECT_EQ(found(table, NodeTable::number_of(RootNode{})), "root");
}

TEST(NodeTable, NumbersAreKnownBeforeTheNodeIsAcquired) {
  NodeTable table;
  for (const auto& node : nodes_of(id)) {
    EXPECT_EQ(table.acquire(node), NodeTable::number_of(node)) << describe(node);
  }
}

TEST(NodeTable, NumbersAreNeverReservedOnes) {
  for (const auto& text : {id, std::string{"a"}, std::string{"web"}}) {
    for (const auto& node : nodes_of(text)) {
      EXPECT_GT(NodeTable::number_of(node), NodeTable::number_of(MetricsNode{})) << describe(node);
      EXPECT_NE(NodeTable::number_of(node), UINT64_MAX) << describe(node);
    }
  }
}

TEST(NodeTable, FindsWhatItGave) {
  NodeTable table;
  for (const auto& text : {id, std::string{"web"}}) {
    for (const auto& node : nodes_of(text)) {
      EXPECT_EQ(found(table, table.acquire(node)), describe(node));
    }
  }
}

TEST(NodeTable, FindsNothingThatItDidNotGive) {
  const NodeTable table;
  EXPECT_EQ(found(table, 0), "nothing");
  EXPECT_EQ(found(table, 4), "nothing");
  EXPECT_EQ(found(table, 16), "nothing");
  EXPECT_EQ(found(table, UINT64_MAX), "nothing");
  EXPECT_EQ(found(table, NodeTable::number_of(InstanceNode{id})), "nothing");
}

TEST(NodeTable, NoTwoNodesShareANumber) {
  constexpr int instances = 1000;
  std::set<Inode> numbers{NodeTable::number_of(RootNode{}), NodeTable::number_of(ByNameNode{}),
                          NodeTable::number_of(MetricsNode{})};
  std::size_t expected = numbers.size();
  for (int i = 0; i < instances; ++i) {
    for (const auto& node : nodes_of("instance" + std::to_string(i))) {
      numbers.insert(NodeTable::number_of(node));
      ++expected;
    }
  }
  EXPECT_EQ(numbers.size(), expected);
}

TEST(NodeTable, ALinkNamedLikeAnIdIsAnotherNode) {
  NodeTable table;
  const auto instance = table.acquire(InstanceNode{id});
  const auto link = table.acquire(LinkNode{id});
  EXPECT_NE(instance, link);
  EXPECT_EQ(found(table, instance), "instance " + id);
  EXPECT_EQ(found(table, link), "link " + id);
  table.release(link, 1);
  EXPECT_EQ(found(table, instance), "instance " + id);
  EXPECT_EQ(found(table, link), "nothing");
}

TEST(NodeTable, TheLastReleaseFreesTheNumber) {
  NodeTable table;
  const auto number = table.acquire(InstanceNode{id});
  EXPECT_EQ(table.acquire(InstanceNode{id}), number);
  EXPECT_EQ(table.acquire(InstanceNode{id}), number);
  table.release(number, 2);
  EXPECT_EQ(found(table, number), "instance " + id);
  table.release(number, 1);
  EXPECT_EQ(found(table, number), "nothing");
  EXPECT_EQ(table.acquire(InstanceNode{id}), number);
  EXPECT_EQ(found(table, number), "instance " + id);
}

TEST(NodeTable, AFileStaysWhenItsDirectoryIsReleased) {
  NodeTable table;
  const FileNode file{id, InstanceFile{3}};
  const auto directory_number = table.acquire(InstanceNode{id});
  const auto file_number = table.acquire(file);
  table.release(directory_number, 1);
  EXPECT_EQ(found(table, file_number), describe(file));
  table.release(file_number, 1);
  EXPECT_EQ(found(table, file_number), "nothing");
  EXPECT_EQ(found(table, directory_number), "nothing");
}

TEST(NodeTable, OneReleaseTooManyDoesNoHarm) {
  NodeTable table;
  const auto number = table.acquire(InstanceNode{id});
  const auto other = table.acquire(InstanceNode{"other"});
  table.release(number, 1000);
  table.release(number, 1);
  EXPECT_EQ(found(table, number), "nothing");
  EXPECT_EQ(found(table, other), "instance other");
  static_cast<void>(table.acquire(InstanceNode{id}));
  EXPECT_EQ(found(table, number), "instance " + id);
}

TEST(NodeTable, ReleasingNothingChangesNothing) {
  NodeTable table;
  const auto number = table.acquire(InstanceNode{id});
  table.release(number, 0);
  EXPECT_EQ(found(table, number), "instance " + id);
}

TEST(NodeTable, CountsRightWhenManyUseIt) {
  NodeTable table;
  std::atomic<int> wrong = 0;
  constexpr int count = 4;
  std::vector<std::thread> threads;
  threads.reserve(count);
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 2000; ++round) {
        const auto number = table.acquire(InstanceNode{id});
        if (found(table, number) != "instance " + id) {
          ++wrong;
        }
        table.release(number, 1);
      }
    });
  }
  std::ranges::for_each(threads, &std::thread::join);
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(found(table, NodeTable::number_of(InstanceNode{id})), "nothing");
}

TEST(NodeTable, FindsNoFileBehindTheLast) {
  NodeTable table;
  const auto directory = table.acquire(InstanceNode{id});
  for (Inode bits = 1 + InstanceFile::count; bits < 16; ++bits) {
    EXPECT_EQ(found(table, directory + bits), "nothing") << bits;
  }
}

}  // namespace
}  // namespace hypeman::tests
