// The page's address: a section and what it shows, after "#", which no browser sends anywhere.

/**
 * Return the section and the parameters of an address's fragment.
 * @param {string} hash
 * @returns {{section: string, parameters: URLSearchParams}}
 */
export function readAddress(hash) {
  const [section, query = ""] = hash.replace(/^#/, "").split("?", 2);
  return { section, parameters: new URLSearchParams(query) };
}

/**
 * Return the fragment of a section and its parameters.
 * @param {string} section
 * @param {URLSearchParams} parameters
 */
export function writeAddress(section, parameters) {
  const query = String(parameters);
  return query ? `#${section}?${query}` : `#${section}`;
}

/**
 * Say in the address what a section shows, while it does, without a new step of the browser's
 * history.
 * @param {string} section
 * @param {URLSearchParams} parameters
 */
export function setAddress(section, parameters) {
  if (document.getElementById(`view-${section}`)?.hidden) return;
  history.replaceState(null, "", writeAddress(section, parameters));
}
