using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Admitting;
using Hami.Domain.Ledger;
using Mediator;

namespace Hami.Api.Admitting;

/// <summary>May this pod be created, and does it come to us?</summary>
internal sealed record Admit(AdmissionReview Review) : IQuery<AdmissionReview>;

internal sealed class AdmitHandler(AdmissionRules rules, Journal journal) : IQueryHandler<Admit, AdmissionReview>
{
    private const string DefaultVersion = "admission.k8s.io/v1";

    // While the log is being read nothing is known to be used; placement asks the quota again.
    public ValueTask<AdmissionReview> Handle(Admit query, CancellationToken cancellationToken) =>
        new(Answer(query.Review, rules, journal.Ledger.RoomOf));

    internal static AdmissionReview Answer(AdmissionReview review, AdmissionRules rules, Func<string, QuotaRoom> roomOf)
    {
        if (review.Request is not { Object: { Spec: not null } pod, Uid: { Length: > 0 } uid } request)
            return Reply(review, new() { Uid = review.Request?.Uid ?? "", Status = new(400, "the AdmissionReview carries no pod to look at") });
        // A pod that exists carries what was decided for it; that is not to be taken off again.
        if (request.Operation is { Length: > 0 } and not "CREATE")
            return Reply(review, new() { Uid = uid, Allowed = true, Status = new(200, "only the creation of pods is looked at") });
        Admission admission;
        try
        {
            var shape = pod.Shape(rules.Nvidia.ResourceNames, request.Namespace);
            admission = AdmitPodDecider.Decide(
                new(shape, [.. pod.AllContainers.Select(c => Environment(c.Container))],
                    pod.Spec.SchedulerName ?? "", pod.Spec.NodeName ?? "", pod.Spec.RuntimeClassName ?? "", Privileged(pod)),
                rules, roomOf(shape.Namespace));
        }
        catch (FormatException e)
        {
            return Reply(review, Denied(uid, e.Message));
        }
        return Reply(review, admission switch
        {
            Admission.Denied d => Denied(uid, d.Because.Sentence),
            Admission.Allowed a => Allowed(uid, a, pod),
            _ => throw new ArgumentOutOfRangeException(nameof(review), admission, "No answer for this admission."),
        });
    }

    private static AdmissionResponse Denied(string uid, string sentence) => new() { Uid = uid, Status = new(403, sentence, "Forbidden") };

    private static AdmissionResponse Allowed(string uid, Admission.Allowed allowed, PodJson pod)
    {
        var patch = AdmissionPatch.Of(allowed.Changes, pod);
        return new()
        {
            Uid = uid,
            Allowed = true,
            Status = patch is null ? new(200, allowed.Message) : null,
            PatchType = patch is null ? null : "JSONPatch",
            Patch = patch,
            Warnings = allowed.Warnings.Count == 0 ? null : allowed.Warnings,
        };
    }

    private static AdmissionReview Reply(AdmissionReview asked, AdmissionResponse response) =>
        new() { ApiVersion = string.IsNullOrEmpty(asked.ApiVersion) ? DefaultVersion : asked.ApiVersion, Kind = "AdmissionReview", Response = response };

    private static string? Privileged(PodJson pod) =>
        pod.AllContainers.Select(c => c.Container).FirstOrDefault(c => c.SecurityContext?.Privileged == true)?.Name;

    /// <summary>As the container would see it: the last of a name counts.</summary>
    private static ContainerVariables Environment(PodJson.Container container)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var variable in container.Env ?? [])
        {
            if (variable?.Name is { } name)
                environment[name] = variable.Value;
        }
        return new(environment, container.EnvFrom is { Count: > 0 });
    }
}
