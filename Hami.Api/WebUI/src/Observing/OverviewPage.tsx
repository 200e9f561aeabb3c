import { SimpleGrid } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { useYou } from '../Access/Gate'
import { ClusterDocument } from '../Plumbing/asked'
import { useMoment } from '../Plumbing/moment'
import { Page } from '../Plumbing/Page'
import { useQuestion } from '../Plumbing/question'
import { Answered, Empty } from '../Plumbing/states'
import { Attention } from './overview/Attention'
import { CardTypes } from './overview/CardTypes'
import { Counters } from './overview/Counters'
import { Gauges } from './overview/Gauges'
import { OwnOverview } from './overview/OwnOverview'
import { PodsPerNode } from './overview/PodsPerNode'
import { Room } from './overview/Room'
import { Standing } from './overview/Standing'
import { MostPods, TopNodes } from './overview/TopNodes'
import { Trends } from './overview/Trends'
import { Vendors } from './overview/Vendors'

/** The cluster at a glance. */
export default function OverviewPage() {
  const { t } = useTranslation('observing')
  const { at, isNow } = useMoment()
  const { nodes: seesNodes } = useYou()
  const question = useQuestion(ClusterDocument, { at }, { enabled: seesNodes })
  return (
    <Page title={t('overview.title')}>
      <Attention seesNodes={seesNodes} />
      {!seesNodes && <OwnOverview />}
      {seesNodes && (
        <Answered question={question} height={640}>
          {({ cluster }) => {
            if (cluster.devices === 0) return <Empty title={t(isNow ? 'overview.empty' : 'overview.emptyThen')} hint={t(isNow ? 'overview.emptyHint' : 'overview.emptyThenHint')} />
            return (
              <>
                <Gauges cluster={cluster} />
                <Counters cluster={cluster} />
                <Trends />
                <SimpleGrid cols={{ base: 1, md: 2 }}>
                  <Standing cluster={cluster} />
                  <CardTypes cluster={cluster} />
                  <Room cluster={cluster} />
                  <Vendors cluster={cluster} />
                  <TopNodes of="compute" />
                  <TopNodes of="memory" />
                  <MostPods />
                  <PodsPerNode cluster={cluster} />
                </SimpleGrid>
              </>
            )
          }}
        </Answered>
      )}
    </Page>
  )
}
