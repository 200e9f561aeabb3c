import { Anchor, type AnchorProps } from '@mantine/core'
import { createLink } from '@tanstack/react-router'
import type { AnchorHTMLAttributes, Ref } from 'react'

function Link({ ref, ...props }: AnchorProps & Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof AnchorProps> & { ref?: Ref<HTMLAnchorElement> }) {
  return <Anchor ref={ref} {...props} />
}

/** A link to another page, with its parameters checked. */
export const PageLink = createLink(Link)
