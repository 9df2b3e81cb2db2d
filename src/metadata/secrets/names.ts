/** Which names say that their values are secret. */

const SECRET_NAME =
  /pass(word|wd|phrase|code)?$|passw|secret|token|api_?-?key|access_?-?key|private_?-?key|authorization|credential/i;

/** Whether what is called so is hidden in logs and answers unless somebody says otherwise. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** The strings that lie anywhere inside a JSON text under a name that says secret; none where the text is no JSON. */
export function secretsInside(text: string): string[] {
  try {
    return collect(JSON.parse(text) as unknown);
  } catch {
    return [];
  }
}

function collect(value: unknown): string[] {
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    typeof inner === "string" && isSecretName(name) ? [inner] : collect(inner),
  );
}
