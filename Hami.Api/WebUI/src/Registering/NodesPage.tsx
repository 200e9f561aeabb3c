import { Page } from '../Plumbing/Page'

export default function NodesPage() {
  return <Page title="NodesPage">{null}</Page>
}
