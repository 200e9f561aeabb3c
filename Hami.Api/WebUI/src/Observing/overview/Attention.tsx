import { Alert, Anchor, List, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { TriangleAlert } from 'lucide-react'
import { Fragment, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { AttentionDocument, LongestWaitingDocument } from '../../Plumbing/asked'
import { useMoment } from '../../Plumbing/moment'
import { useQuestion } from '../../Plumbing/question'
import * as units from '../../Plumbing/units'
import type { Search } from '../../Plumbing/url'

/** What somebody should look at; nothing at all when all is well. */
export function Attention({ seesNodes }: { seesNodes: boolean }) {
  const { t } = useTranslation('observing')
  const { at, isNow } = useMoment()
  const ill = useQuestion(AttentionDocument, { at, isNow }, { enabled: seesNodes }).data
  const waiting = useQuestion(LongestWaitingDocument, { at }).data?.pendingPods
  const pods = waiting?.items.filter((pod) => pod !== null) ?? []
  const lines: ReactNode[] = []
  const cards = (found: { totalCount: number; items: ({ uuid: string; node: string; index: number } | null)[] }) =>
    found.items.filter((card) => card !== null).map((card) => <Anchor key={card.uuid} component={Link} to="/devices/$uuid" params={{ uuid: card.uuid } as never} size="sm" underline="always" title={card.uuid}>{t('overview.cardOf', { index: card.index, node: card.node })}</Anchor>)

  if (ill?.unhealthy.totalCount)
    lines.push(<Found key="unhealthy" id="unhealthy" count={ill.unhealthy.totalCount} text={t('overview.unhealthyCards', { count: ill.unhealthy.totalCount })} to="/devices" search={{ healthy: 'false' }} examples={cards(ill.unhealthy)} />)
  if (ill?.notReady?.totalCount)
    lines.push(
      <Found
        key="notReady" id="not-ready" count={ill.notReady.totalCount} text={t('overview.nodesNotReady', { count: ill.notReady.totalCount })} to="/nodes" search={{ ready: 'false' }}
        examples={ill.notReady.items.filter((node) => node !== null).map((node) => (
          <Fragment key={node.name}>
            <Anchor component={Link} to="/nodes/$node" params={{ node: node.name } as never} size="sm" underline="always">{node.name}</Anchor>
            {node.facts?.notReadyBecause ? ` (${node.facts.notReadyBecause})` : ''}
          </Fragment>
        ))}
      />,
    )
  if (ill?.cordoned.totalCount)
    lines.push(<Found key="cordoned" id="cordoned" count={ill.cordoned.totalCount} text={t('overview.cordonedCards', { count: ill.cordoned.totalCount })} to="/devices" search={{ cordoned: 'true' }} examples={cards(ill.cordoned)} />)
  if (waiting?.totalCount)
    lines.push(<Found key="waiting" id="waiting" count={waiting.totalCount} text={t('overview.podsWait', { count: waiting.totalCount })} to="/pending" />)
  if (lines.length === 0) return null
  return (
    <Alert color="orange" variant="outline" bg="var(--mantine-color-body)" icon={<TriangleAlert aria-hidden />} title={<Text span inherit c="bright">{t('overview.attention')}</Text>} role="status">
      <List size="sm" spacing={4} listStyleType="none">
        {lines}
      </List>
      {pods.length > 0 && (
        <List size="sm" spacing={2} mt={4} listStyleType="disc" withPadding aria-label={t('overview.longestWaiting')}>
          {pods.map((pod) => (
            <List.Item key={pod.podUid}>
              <Anchor component={Link} to="/pending" search={{ q: pod.pod } as never} size="sm" underline="always">{pod.namespace}/{pod.pod}</Anchor>{' '}
              {t('overview.since', { long: units.since(pod.refusedAt, at ?? new Date()) })}
              <Text size="xs" c="dimmed" lineClamp={1} title={pod.message}>{pod.message}</Text>
            </List.Item>
          ))}
        </List>
      )}
    </Alert>
  )
}

function Found({ id, count, text, to, search, examples = [] }: { id: string; count: number; text: string; to: string; search?: Search; examples?: ReactNode[] }) {
  return (
    <List.Item data-testid={`attention-${id}`} data-value={count}>
      <Anchor component={Link} to={to} search={search as never} size="sm" underline="always" fw={600}>{text}</Anchor>
      {examples.length > 0 && ': '}
      {examples.map((example, i) => <Fragment key={i}>{i > 0 && ', '}{example}</Fragment>)}
      {count > examples.length && examples.length > 0 && ' …'}
    </List.Item>
  )
}
