import { Select } from '@mantine/core'
import { useTranslation } from 'react-i18next'

/** One filter of a list: a choice, or none. */
export function Choice({ label, value, options, onChange, onSearch, disabled, width = 140 }: {
  /** What is shown when nothing is chosen. */
  label: string
  value: string | undefined
  options: (string | { value: string; label: string })[]
  onChange: (value: string | undefined) => void
  /** The options are looked for elsewhere, by what is typed. */
  onSearch?: (text: string) => void
  disabled?: boolean
  width?: number
}) {
  const { t } = useTranslation('plumbing')
  const isThere = !value || options.some((option) => (typeof option === 'string' ? option : option.value) === value)
  return (
    <Select
      size="sm"
      w={width}
      aria-label={label}
      placeholder={label}
      value={value ?? null}
      // What the address asks for can be seen, and taken away, even when nothing is of that kind.
      data={isThere ? options : [value, ...options]}
      onChange={(next) => onChange(next ?? undefined)}
      clearable
      searchable={!!onSearch || options.length > 6}
      onSearchChange={onSearch}
      filter={onSearch && (({ options: found }) => found)}
      nothingFoundMessage={t('list.noMatch')}
      disabled={disabled}
      comboboxProps={{ width: 'max-content', position: 'bottom-start' }}
    />
  )
}
