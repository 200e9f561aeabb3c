import { Badge, Stack, Text, Tooltip } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import * as units from '../Plumbing/units'
import { reasonWord } from './reasons'

/** A reason in a few words, with the word that logs and dashboards have and an explanation when it is pointed at or reached by keyboard. */
export function Reason({ reason, cards }: {
  reason: string
  /** How many cards say so. */
  cards?: number
}) {
  const { t } = useTranslation('placing')
  const word = reasonWord(reason)
  return (
    <Tooltip
      multiline
      maw={360}
      disabled={!word}
      events={{ hover: true, focus: true, touch: true }}
      label={
        word && (
          <Stack gap={4}>
            <Text size="xs" fw={600}>{reason}</Text>
            <Text size="xs">{t(`reasons.${word}.why`)}</Text>
          </Stack>
        )
      }
    >
      <Badge variant="light" color={word === 'None' ? 'teal' : 'orange'} tt="none" fw={500} tabIndex={0} style={{ minWidth: 'max-content', cursor: 'help' }} data-testid="reason" data-value={reason} data-cards={cards}>
        {cards !== undefined && `${units.count(cards)} × `}{word ? t(`reasons.${word}.name`) : reason}
      </Badge>
    </Tooltip>
  )
}

/** All reasons of a pod, most cards first. */
export function Reasons({ reasons }: { reasons: { reason: string; cards: number }[] }) {
  return [...reasons].sort((a, b) => b.cards - a.cards).map((each) => <Reason key={each.reason} reason={each.reason} cards={each.cards} />)
}
