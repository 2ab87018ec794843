// The conversation on the Ask page: what was asked and answered before, which a follow-up is about.

const MOST = 6;

/** @type {{question: string, answer: string}[]} */
let turns = [];

/** Return the earlier questions, the oldest first. */
export function earlierQuestions() {
  return turns.map(({ question }) => question);
}

/** Return the earlier turns as the service takes them. */
export function earlierTurns() {
  return turns.flatMap(({ question, answer }) => [
    { role: "user", content: question },
    ...(answer ? [{ role: "assistant", content: answer }] : []),
  ]);
}

/** Begin a conversation, with earlier questions that an address may name. @param {string[]} questions */
export function beginConversation(questions = []) {
  turns = questions.slice(-MOST).map((question) => ({ question, answer: "" }));
}

/** Add what was asked and answered. @param {string} question @param {string} answer */
export function addTurn(question, answer) {
  turns = [...turns, { question, answer: answer.slice(0, 20000) }].slice(-MOST);
}
