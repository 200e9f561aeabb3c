import { Page } from '../Plumbing/Page'

export default function NodePage() {
  return <Page title="NodePage">{null}</Page>
}
