// The conversation on the Ask page: order, limit, and what an address brings back.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  addTurn,
  beginConversation,
  earlierQuestions,
  earlierTurns,
} from "../../src/cybersecqwen/serving/page/lib/conversation.js";

test("turns are kept in order, the answer behind its question", () => {
  beginConversation();
  addTurn("What is CWE-79?", "Cross-site scripting.");
  addTurn("and how do I mitigate it?", "Encode.");
  assert.deepEqual(earlierTurns().slice(0, 2), [
    { role: "user", content: "What is CWE-79?" },
    { role: "assistant", content: "Cross-site scripting." },
  ]);
  assert.deepEqual(earlierQuestions(), ["What is CWE-79?", "and how do I mitigate it?"]);
});

test("only the latest six turns are kept", () => {
  beginConversation();
  for (let number = 0; number < 9; number += 1) addTurn(`question ${number}`, "");
  assert.deepEqual(earlierQuestions()[0], "question 3");
  assert.equal(earlierTurns().length, 6, "no empty answers");
});

test("an address brings questions without answers", () => {
  beginConversation(["What is T1003?"]);
  assert.deepEqual(earlierTurns(), [{ role: "user", content: "What is T1003?" }]);
});
