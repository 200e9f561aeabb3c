import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import type { ClusterQuery } from '../../Plumbing/asked'
import { Bars } from '../../Plumbing/charts'
import { Panel } from '../../Plumbing/Page'

/** How many nodes have how many pods. */
export function PodsPerNode({ cluster }: { cluster: ClusterQuery['cluster'] }) {
  const { t } = useTranslation('observing')
  const bars = useMemo(() => cluster.podsPerNode.map(({ from, to, nodes }) => ({ name: `${from}–${to}`, value: nodes })), [cluster.podsPerNode])
  return (
    <Panel title={t('overview.podsPerNode')} hint={t('overview.podsPerNodeHint')}>
      <Bars label={t('overview.podsPerNode')} of={t('overview.nodes')} by={t('overview.workloads')} bars={bars} />
    </Panel>
  )
}
