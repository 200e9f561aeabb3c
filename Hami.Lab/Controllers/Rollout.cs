using System.Globalization;
using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>One look at a Deployment and its ReplicaSets: who is new, who is old, and how many each may have. Pure; the controller acts on it.</summary>
internal sealed class Rollout
{
    public const string RevisionAnnotation = "deployment.kubernetes.io/revision";
    private const string HistoryAnnotation = "deployment.kubernetes.io/revision-history";
    private const string DesiredAnnotation = "deployment.kubernetes.io/desired-replicas";
    private const string MaxAnnotation = "deployment.kubernetes.io/max-replicas";

    // These are the controller's or kubectl's own and are not handed down to the sets.
    private static readonly HashSet<string> Kept = new(StringComparer.Ordinal)
    {
        "kubectl.kubernetes.io/last-applied-configuration", RevisionAnnotation, HistoryAnnotation, DesiredAnnotation, MaxAnnotation, "deprecated.deployment.rollback.to",
    };

    private readonly List<V1ReplicaSet> _sets;
    private readonly List<V1DeploymentCondition> _conditions;

    public Rollout(V1Deployment deployment, List<V1ReplicaSet> sets)
    {
        (Deployment, _sets) = (deployment, sets);
        _conditions = [.. deployment.Status?.Conditions ?? []];
        Collisions = deployment.Status?.CollisionCount;
        New = sets.OrderBy(s => s.Metadata.CreationTimestamp).ThenBy(s => s.Name(), StringComparer.Ordinal)
            .FirstOrDefault(s => TemplateHash.Same(s.Spec.Template, deployment.Spec.Template));
    }

    public V1Deployment Deployment { get; }

    public V1ReplicaSet? New { get; private set; }

    public IEnumerable<V1ReplicaSet> Old => _sets.Where(s => s.Uid() != New?.Uid());

    public int Wanted => Deployment.Spec.Replicas ?? 1;

    public bool Recreates => Deployment.Spec.Strategy?.Type is "Recreate";

    public string? Revision { get; set; }

    public int? Collisions { get; set; }

    public V1DeploymentCondition? Progressing => _conditions.Find(c => c.Type is "Progressing");

    /// <summary>Whether somebody has changed the number of replicas since the sets were last told it.</summary>
    public bool IsScaling => _sets.Any(s => s.Spec.Replicas > 0
        && s.Metadata.Annotations?.TryGetValue(DesiredAnnotation, out var desired) is true && int.TryParse(desired, out var number) && number != Wanted);

    private int MaxSurge => Recreates ? 0 : Fenced().Surge;

    private int MaxUnavailable => Recreates || Wanted == 0 ? 0 : Math.Min(Fenced().Unavailable, Wanted);

    public static long RevisionOf(V1ReplicaSet set) =>
        set.Metadata.Annotations?.TryGetValue(RevisionAnnotation, out var text) is true && long.TryParse(text, out var number) ? number : 0;

    public void Add(V1ReplicaSet made)
    {
        _sets.Add(made);
        New = made;
    }

    public void Replace(V1ReplicaSet written)
    {
        _sets[_sets.FindIndex(s => s.Uid() == written.Uid())] = written;
        if (New?.Uid() == written.Uid())
            New = written;
    }

    /// <summary>The ReplicaSet of the deployment's present template.</summary>
    public V1ReplicaSet Make(V1OwnerReference owner, string revision)
    {
        var hash = TemplateHash.Of(Deployment.Spec.Template, Collisions);
        var template = k8s.KubernetesJson.Deserialize<V1PodTemplateSpec>(k8s.KubernetesJson.Serialize(Deployment.Spec.Template));
        template.Metadata ??= new();
        template.Metadata.Labels = With(template.Metadata.Labels, TemplateHash.Label, hash);
        var set = new V1ReplicaSet
        {
            ApiVersion = "apps/v1",
            Kind = "ReplicaSet",
            Metadata = new()
            {
                Name = $"{Deployment.Name()}-{hash}",
                NamespaceProperty = Deployment.Namespace(),
                Labels = new Dictionary<string, string>(template.Metadata.Labels, StringComparer.Ordinal),
                OwnerReferences = [owner],
            },
            Spec = new()
            {
                MinReadySeconds = Deployment.Spec.MinReadySeconds,
                Selector = new()
                {
                    MatchLabels = With(Deployment.Spec.Selector.MatchLabels, TemplateHash.Label, hash),
                    MatchExpressions = Deployment.Spec.Selector.MatchExpressions,
                },
                Template = template,
                Replicas = 0,
            },
        };
        set.Spec.Replicas = Recreates ? Wanted : Math.Min(Wanted, Math.Max(0, Wanted + MaxSurge - _sets.Sum(s => s.Spec.Replicas ?? 0)));
        set.Metadata.Annotations = With(HandedDown(null), RevisionAnnotation, revision);
        set.Metadata.Annotations = AnnotationsOfScale(set);
        return set;
    }

    /// <summary>What the new set's annotations must become; null when they are right.</summary>
    public Dictionary<string, string>? AnnotationsOfNew(V1ReplicaSet set, string revision)
    {
        var wanted = HandedDown(set.Metadata.Annotations);
        var old = RevisionOf(set);
        if (old < long.Parse(revision, CultureInfo.InvariantCulture))
        {
            wanted[RevisionAnnotation] = revision;
            // Rolled back to: its earlier numbers are remembered.
            if (old > 0)
                wanted[HistoryAnnotation] = wanted.TryGetValue(HistoryAnnotation, out var history) && history.Length > 0 ? $"{history},{old}" : $"{old}";
        }
        return Same(wanted, set.Metadata.Annotations) ? null : wanted;
    }

    public Dictionary<string, string>? AnnotationsOfScale(V1ReplicaSet set)
    {
        var wanted = With(set.Metadata.Annotations, DesiredAnnotation, $"{Wanted}");
        wanted[MaxAnnotation] = $"{Wanted + MaxSurge}";
        return Same(wanted, set.Metadata.Annotations) ? null : wanted;
    }

    /// <summary>How many the new set may have now, surge included.</summary>
    public int NewReplicas()
    {
        var has = New!.Spec.Replicas ?? 0;
        if (has >= Wanted)
            return Wanted;
        var room = Wanted + MaxSurge - _sets.Sum(s => s.Spec.Replicas ?? 0);
        return room <= 0 ? has : has + Math.Min(room, Wanted - has);
    }

    /// <summary>Which old sets get smaller now: first by pods that do not work anyway, then by as many as the working ones allow.</summary>
    public List<(V1ReplicaSet Set, int Replicas)> OldReplicas()
    {
        var old = Old.Where(s => s.Spec.Replicas > 0).OrderBy(s => s.Metadata.CreationTimestamp).ToList();
        var least = Wanted - MaxUnavailable;
        var newUnavailable = (New!.Spec.Replicas ?? 0) - (New.Status?.AvailableReplicas ?? 0);
        var may = _sets.Sum(s => s.Spec.Replicas ?? 0) - least - newUnavailable;
        var result = old.ToDictionary(s => s.Uid(), s => s.Spec.Replicas ?? 0, StringComparer.Ordinal);
        if (may <= 0)
            return [];
        foreach (var set in old)
        {
            var broken = Math.Min(may, Math.Max(0, result[set.Uid()] - (set.Status?.AvailableReplicas ?? 0)));
            result[set.Uid()] -= broken;
            may -= broken;
        }
        // What a set has more than it shall have is on its way out, though its status may not say so yet.
        var spare = _sets.Sum(s => Math.Min(s.Status?.AvailableReplicas ?? 0, s.Spec.Replicas ?? 0)) - least;
        foreach (var set in old)
        {
            var less = Math.Clamp(spare, 0, result[set.Uid()]);
            result[set.Uid()] -= less;
            spare -= less;
        }
        return [.. old.Where(s => result[s.Uid()] != s.Spec.Replicas).Select(s => (s, result[s.Uid()]))];
    }

    /// <summary>What each set has after the deployment was scaled, in the middle of a rollout or not.</summary>
    public List<(V1ReplicaSet Set, int Replicas)> Proportions()
    {
        var active = _sets.Where(s => s.Spec.Replicas > 0).OrderByDescending(s => s.Metadata.CreationTimestamp).ToList();
        if (active.Count <= 1)
        {
            var only = active.FirstOrDefault() ?? New ?? _sets.MaxBy(s => s.Metadata.CreationTimestamp);
            return only is null ? [] : [(only, Wanted)];
        }
        // A finished rollout: what is old goes.
        if (New is { } saturated && saturated.Spec.Replicas == Wanted && saturated.Status?.AvailableReplicas == Wanted)
            return [.. Old.Where(s => s.Spec.Replicas > 0).Select(s => (s, 0))];
        var total = active.Sum(s => s.Spec.Replicas ?? 0);
        var change = (Wanted > 0 ? Wanted + MaxSurge : 0) - total;
        var ordered = change > 0 ? active.OrderByDescending(s => s.Spec.Replicas).ToList() : active.OrderByDescending(s => s.Spec.Replicas).ThenBy(s => s.Metadata.CreationTimestamp).ToList();
        var left = change;
        var result = new List<(V1ReplicaSet Set, int Replicas)>();
        foreach (var set in ordered)
        {
            var share = total == 0 ? 0 : (int)Math.Round((decimal)change * set.Spec.Replicas!.Value / total, MidpointRounding.AwayFromZero);
            share = change > 0 ? Math.Min(share, left) : Math.Max(share, left);
            left -= share;
            result.Add((set, Math.Max(0, set.Spec.Replicas!.Value + share)));
        }
        if (left != 0 && result.Count > 0)
            result[0] = (result[0].Set, Math.Max(0, result[0].Replicas + left));
        return result;
    }

    /// <summary>Old sets beyond what the history keeps.</summary>
    public List<V1ReplicaSet> Forgettable()
    {
        var idle = Old.Where(s => s.Metadata.DeletionTimestamp is null && s.Spec.Replicas == 0 && (s.Status?.Replicas ?? 0) == 0 && s.Metadata.Generation <= s.Status?.ObservedGeneration)
            .OrderBy(RevisionOf).ToList();
        return idle[..Math.Max(0, idle.Count - (Deployment.Spec.RevisionHistoryLimit ?? int.MaxValue))];
    }

    public V1DeploymentStatus Status(DateTimeOffset now)
    {
        var (replicas, available) = (_sets.Sum(s => s.Status?.Replicas ?? 0), _sets.Sum(s => s.Status?.AvailableReplicas ?? 0));
        var status = new V1DeploymentStatus
        {
            ObservedGeneration = Deployment.Metadata.Generation,
            Replicas = GoWriting.OrNull(replicas),
            UpdatedReplicas = GoWriting.OrNull(New?.Status?.Replicas ?? 0),
            ReadyReplicas = GoWriting.OrNull(_sets.Sum(s => s.Status?.ReadyReplicas ?? 0)),
            AvailableReplicas = GoWriting.OrNull(available),
            UnavailableReplicas = GoWriting.OrNull(Math.Max(0, _sets.Sum(s => s.Spec.Replicas ?? 0) - available)),
            TerminatingReplicas = _sets.Sum(s => s.Status?.TerminatingReplicas ?? 0),
            CollisionCount = Collisions,
            Conditions = _conditions,
        };
        if (available >= Wanted - MaxUnavailable)
            Set("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now);
        else
            Set("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.", now);
        return status;
    }

    public bool IsComplete(V1DeploymentStatus status) =>
        (status.UpdatedReplicas ?? 0) == Wanted && (status.Replicas ?? 0) == Wanted && (status.AvailableReplicas ?? 0) == Wanted
        && Deployment.Metadata.Generation <= status.ObservedGeneration;

    /// <summary>Says in the conditions whether the rollout gets on, is done, or has been stuck for too long.</summary>
    public void Judge(V1DeploymentStatus status, DateTimeOffset now)
    {
        var what = New is { } set ? $"ReplicaSet \"{set.Name()}\"" : $"Deployment \"{Deployment.Name()}\"";
        var done = status.Replicas == status.UpdatedReplicas && Progressing?.Reason is "NewReplicaSetAvailable";
        if (Deployment.Spec.Paused is true)
        {
            if (Progressing?.Reason is not ("DeploymentPaused" or "ProgressDeadlineExceeded"))
                SetProgressing("Unknown", "DeploymentPaused", "Deployment is paused", now);
        }
        else if (Progressing?.Reason is "DeploymentPaused")
        {
            SetProgressing("Unknown", "DeploymentResumed", "Deployment is resumed", now);
        }
        else if (!done && !IsScaling)
        {
            if (IsComplete(status))
                SetProgressing("True", "NewReplicaSetAvailable", $"{what} has successfully progressed.", now);
            else if (IsProgressing(status))
                Renew("ReplicaSetUpdated", $"{what} is progressing.", now);
            else if (UntilDeadline(now) is { } left && left <= TimeSpan.Zero)
                SetProgressing("False", "ProgressDeadlineExceeded", $"{what} has timed out progressing.", now);
        }
        var failure = (New?.Status?.Conditions ?? []).Concat(Old.SelectMany(s => s.Status?.Conditions ?? [])).FirstOrDefault(c => c.Type is "ReplicaFailure");
        if (failure is not null)
            Set("ReplicaFailure", failure.Status, failure.Reason, failure.Message, now);
        else
            _conditions.RemoveAll(c => c.Type is "ReplicaFailure");
        status.Conditions = _conditions.Count > 0 ? _conditions : null;
    }

    /// <summary>What is left of the time in which a rollout must get on; null where there is none to watch.</summary>
    public TimeSpan? UntilDeadline(DateTimeOffset now) =>
        Progressing is not { Reason: not ("NewReplicaSetAvailable" or "ProgressDeadlineExceeded" or "DeploymentPaused"), LastUpdateTime: { } since } || Deployment.Spec.ProgressDeadlineSeconds is not { } seconds
            ? null
            : since.Instant() + TimeSpan.FromSeconds(seconds) - now;

    public void SetProgressing(string status, string reason, string message, DateTimeOffset now) => Set("Progressing", status, reason, message, now);

    private bool IsProgressing(V1DeploymentStatus status)
    {
        var before = Deployment.Status ?? new();
        static int OldOnes(V1DeploymentStatus s) => (s.Replicas ?? 0) - (s.UpdatedReplicas ?? 0);
        return (status.UpdatedReplicas ?? 0) > (before.UpdatedReplicas ?? 0) || OldOnes(status) < OldOnes(before)
            || (status.ReadyReplicas ?? 0) > (before.ReadyReplicas ?? 0) || (status.AvailableReplicas ?? 0) > (before.AvailableReplicas ?? 0);
    }

    // Progress moves the time of the condition even if its reason stays.
    private void Renew(string reason, string message, DateTimeOffset now)
    {
        if (Progressing is { } old)
        {
            _conditions.Remove(old);
            _conditions.Add(Condition("Progressing", "True", reason, message, now, old.Status is "True" ? old.LastTransitionTime : now.Stamp()));
        }
        else
        {
            SetProgressing("True", reason, message, now);
        }
    }

    private void Set(string type, string status, string reason, string message, DateTimeOffset now)
    {
        var old = _conditions.Find(c => c.Type == type);
        if (old?.Status == status && old.Reason == reason)
            return;
        if (old is not null)
            _conditions.Remove(old);
        _conditions.Add(Condition(type, status, reason, message, now, old?.Status == status ? old.LastTransitionTime : now.Stamp()));
    }

    private static V1DeploymentCondition Condition(string type, string status, string reason, string message, DateTimeOffset now, DateTime? since) =>
        new() { Type = type, Status = status, Reason = reason, Message = message, LastUpdateTime = now.Stamp(), LastTransitionTime = since };

    private (int Surge, int Unavailable) Fenced()
    {
        var rolling = Deployment.Spec.Strategy?.RollingUpdate;
        var surge = Amount(rolling?.MaxSurge, up: true);
        var unavailable = Amount(rolling?.MaxUnavailable, up: false);
        // Both may round to nothing, and then nothing could ever move.
        return (surge, surge == 0 && unavailable == 0 ? 1 : unavailable);
    }

    private int Amount(IntOrString? amount, bool up) => amount?.Value is null ? 0 : Amounts.Of(int.TryParse(amount.Value, out var number) ? JsonValue.Create(number) : JsonValue.Create(amount.Value), Wanted, up) ?? 0;

    private Dictionary<string, string> HandedDown(IDictionary<string, string>? own)
    {
        var result = new Dictionary<string, string>(own ?? new Dictionary<string, string>(StringComparer.Ordinal), StringComparer.Ordinal);
        foreach (var (name, value) in Deployment.Metadata.Annotations ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            if (!Kept.Contains(name))
                result[name] = value;
        }
        return result;
    }

    private static Dictionary<string, string> With(IDictionary<string, string>? map, string name, string value) =>
        new(map ?? new Dictionary<string, string>(StringComparer.Ordinal), StringComparer.Ordinal) { [name] = value };

    private static bool Same(Dictionary<string, string> left, IDictionary<string, string>? right) =>
        left.Count == (right?.Count ?? 0) && left.All(l => right!.TryGetValue(l.Key, out var value) && value == l.Value);
}
