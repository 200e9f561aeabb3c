/** What a pod belongs to, as addresses have it: Job/train. */
export function ownerText(kind: string | null | undefined, name: string | null | undefined): string | undefined {
  return name ? (kind ? `${kind}/${name}` : name) : undefined
}

/** The same as a filter; without a kind it is any owner of that name. */
export function ownerFilter(text: string | undefined): { ownerKind?: string; ownerName?: string } {
  if (!text) return {}
  const slash = text.indexOf('/')
  return slash < 0 ? { ownerName: text } : { ownerKind: text.slice(0, slash) || undefined, ownerName: text.slice(slash + 1) || undefined }
}
