// A question in each of the languages of `lfm2-colbert demo`.

import { make } from "./dom.js";

export const EXAMPLES = [
  ["de", "Deutsch", "Wie setze ich das Passwort des Routers zurück?"],
  ["en", "English", "The washing machine does not drain the water, what should I clean?"],
  ["es", "Español", "He perdido mi tarjeta bancaria, ¿cómo la bloqueo?"],
  ["fr", "Français", "Comment détartrer la machine à café ?"],
  ["it", "Italiano", "Dove trovo antiche mappe di un fiume?"],
  ["nl", "Nederlands", "Hoeveel kost een overschrijving naar het buitenland?"],
  ["pt", "Português", "Posso comer antes de tirar sangue?"],
  ["ru", "Русский", "Во сколько в гостинице начинается завтрак?"],
  ["ar", "العربية", "كم رسوم التأخير إذا أعدت الكتب متأخراً؟"],
  ["ja", "日本語", "電動自転車のバッテリーの充電には何時間かかりますか。"],
  ["ko", "한국어", "기차가 한 시간 넘게 늦으면 표 값을 환불받을 수 있나요?"],
  ["zh", "中文", "我的行李箱在机场丢了，怎么办？"],
];

/**
 * Draw a button for each.
 *
 * @param {HTMLElement} root gets them.
 * @param {function(string, string): void} chosen is given a question and its language.
 */
export function drawExamples(root, chosen) {
  const drawn = EXAMPLES.map(([lang, name, question]) =>
    make(
      "button",
      { type: "button", class: "chip", lang, title: question, click: () => chosen(question, lang) },
      name,
    ),
  );
  root.replaceChildren(...drawn);
}
