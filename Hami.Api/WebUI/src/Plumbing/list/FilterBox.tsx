import { Autocomplete, CloseButton } from '@mantine/core'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

/** Filters a list by a value that somebody chooses or types; it counts when it is chosen, on Enter, or when the box is left. */
export function FilterBox({ label, value, choices, onChange, width = 150, size = 'sm' }: {
  label: string
  value: string | undefined
  choices: string[]
  onChange: (value: string | undefined) => void
  width?: number
  size?: 'xs' | 'sm'
}) {
  const { t } = useTranslation('plumbing')
  const [typed, type] = useState(value ?? '')
  useEffect(() => type(value ?? ''), [value])
  const settle = (text: string) => {
    if (text.trim() !== (value ?? '')) onChange(text.trim() || undefined)
  }
  return (
    <Autocomplete
      size={size}
      w={width}
      aria-label={label}
      placeholder={label}
      value={typed}
      data={[...new Set(choices)]}
      limit={50}
      onChange={type}
      onOptionSubmit={settle}
      onBlur={() => settle(typed)}
      onKeyDown={(e) => {
        if (e.key === 'Enter') settle(typed)
      }}
      rightSection={value ? <CloseButton size="sm" aria-label={t('list.clearFilter', { what: label })} onClick={() => onChange(undefined)} /> : undefined}
    />
  )
}
