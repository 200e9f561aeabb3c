import { Badge, Stack, Text, Tooltip } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { explainedWords, statusOf, statusWords, type Known, type Tone } from './status'

const colours: Record<Tone, string> = { good: 'teal', underway: 'blue', bad: 'red', ended: 'gray' }

/** The status of a pod; what is not good says why when it is pointed at or reached by keyboard. */
export function StatusBadge({ of, size = 'sm' }: { of: Known & { live?: { message?: string | null; containers?: { restarts: number }[] } | null }; size?: 'sm' | 'lg' }) {
  const { t } = useTranslation('observing')
  const { word, tone } = statusOf(of)
  const name = isOneOf(statusWords, word) ? t(`workloads.status.${word}`) : word
  const explained = word.startsWith('Init:') ? t('workloads.help.Init') : isOneOf(explainedWords, word) ? t(`workloads.help.${word}`) : undefined
  const message = of.releaseReason ? undefined : of.live?.message
  const restarts = of.releaseReason ? 0 : (of.live?.containers?.reduce((sum, container) => sum + container.restarts, 0) ?? 0)
  const hasHelp = tone === 'bad' || tone === 'underway' || restarts > 0
  const badge = (
    <Badge variant="light" color={colours[tone]} size={size} tt="none" data-testid="workload-status" data-value={word} tabIndex={hasHelp ? 0 : undefined} style={{ minWidth: 'max-content', cursor: hasHelp ? 'help' : undefined }}>
      {name}
    </Badge>
  )
  if (!hasHelp || (!explained && !message && !restarts)) return badge
  return (
    <Tooltip
      multiline
      maw={360}
      events={{ hover: true, focus: true, touch: true }}
      label={
        <Stack gap={4}>
          {explained && <Text size="xs">{explained}</Text>}
          {message && <Text size="xs" lang="en" style={{ overflowWrap: 'anywhere' }}>{message}</Text>}
          {restarts > 0 && <Text size="xs">{t('workloads.restarts', { count: restarts })}</Text>}
        </Stack>
      }
    >
      {badge}
    </Tooltip>
  )
}

function isOneOf<Word extends string>(words: readonly Word[], word: string): word is Word {
  return (words as readonly string[]).includes(word)
}
