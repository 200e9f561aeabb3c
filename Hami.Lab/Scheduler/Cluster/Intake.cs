using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>Takes in what the API server tells of pods and nodes: into the picture of the cluster and into the queue.</summary>
internal sealed class Intake(ClusterState cluster, Nominations nominations, SchedulingQueue queue, IReadOnlyCollection<string> schedulerNames, bool keepsNodesWhole)
{
    public void Node(V1Node node)
    {
        // An extender that wants whole nodes gets them with managedFields, without the words for the type.
        (node.ApiVersion, node.Kind) = (null, null);
        if (!keepsNodesWhole)
            node.Metadata.ManagedFields = null;
        Happenings happened;
        lock (cluster.Gate)
        {
            var before = cluster.Show(node);
            happened = before is null ? Happenings.NodeAdded : Changes.Of(before, node);
        }
        queue.Happened(happened);
    }

    public void NodeGone(V1Node node) => NodeGone(node.Metadata.Name);

    public void OnlyTheseNodes(IReadOnlySet<string> uids)
    {
        List<string> gone;
        lock (cluster.Gate)
            gone = [.. cluster.Nodes.Where(n => !uids.Contains(n.Node!.Metadata.Uid)).Select(n => n.Name)];
        gone.ForEach(NodeGone);
    }

    public void Pod(V1Pod pod)
    {
        (pod.ApiVersion, pod.Kind, pod.Metadata.ManagedFields) = (null, null, null);
        if (pod.Status?.Phase is "Succeeded" or "Failed")
            PodGone(pod.Metadata.Uid);
        else if (!string.IsNullOrEmpty(pod.Spec.NodeName))
            Assigned(new(pod));
        else if (schedulerNames.Contains(pod.Spec.SchedulerName ?? "default-scheduler"))
            Waits(pod);
    }

    public void PodGone(V1Pod pod) => PodGone(pod.Metadata.Uid);

    public void OnlyThesePods(IReadOnlySet<string> uids)
    {
        List<string> gone;
        lock (cluster.Gate)
            gone = [.. cluster.Pods.Select(p => p.Uid).Concat(queue.Uids()).Where(uid => !uids.Contains(uid)).Distinct(StringComparer.Ordinal)];
        gone.ForEach(PodGone);
    }

    private void NodeGone(string name)
    {
        bool dropped;
        lock (cluster.Gate)
            dropped = cluster.Drop(name);
        if (dropped)
            queue.Happened(Happenings.NodeGone);
    }

    private void Assigned(PodRecord pod)
    {
        Happenings happened;
        lock (cluster.Gate)
        {
            var wasAssumed = cluster.IsAssumed(pod.Uid);
            var before = cluster.Pod(pod.Uid);
            if (!wasAssumed && before?.ResourceVersion == pod.ResourceVersion && before is not null)
                return;
            cluster.Assign(pod);
            nominations.Remove(pod.Uid);
            happened = before is null || wasAssumed ? Happenings.PodAssigned : Changes.Of(before, pod);
        }
        queue.Remove(pod.Uid);
        queue.Happened(happened);
    }

    private void Waits(V1Pod pod)
    {
        var uid = pod.Metadata.Uid;
        var freed = false;
        lock (cluster.Gate)
        {
            if (cluster.IsAssumed(uid))
            {
                // Its Binding goes on and will fail; what it would have taken is free at once.
                freed = pod.Metadata.DeletionTimestamp is not null;
                if (freed)
                    cluster.Remove(uid);
            }
        }
        if (queue.Put(pod) && pod.Status?.NominatedNodeName is { Length: > 0 } promised)
        {
            // Promised by this scheduler before it was started again.
            lock (cluster.Gate)
                nominations.Set(new(pod), promised);
        }
        if (freed)
            queue.Happened(Happenings.PodGone);
    }

    private void PodGone(string uid)
    {
        queue.Remove(uid);
        bool freed;
        lock (cluster.Gate)
        {
            // Others of no higher priority made way for a pod that was promised a node.
            freed = nominations.Remove(uid);
            freed |= cluster.Remove(uid) is not null;
        }
        if (freed)
            queue.Happened(Happenings.PodGone);
    }
}
