import { Page } from '../Plumbing/Page'

export default function OverviewPage() {
  return <Page title="Overview">{null}</Page>
}
