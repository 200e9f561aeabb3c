using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Admitting;
using Hami.Domain.Protocol;
using Mediator;

namespace Hami.Api.Admitting;

/// <summary>May this pod be created, and does it come to us?</summary>
internal sealed record Admit(AdmissionReview Review) : IQuery<AdmissionReview>;

internal sealed class AdmitHandler(AdmissionDefaults defaults) : IQueryHandler<Admit, AdmissionReview>
{
    private const string DefaultVersion = "admission.k8s.io/v1";

    public ValueTask<AdmissionReview> Handle(Admit query, CancellationToken cancellationToken) => new(Answer(query.Review));

    private AdmissionReview Answer(AdmissionReview review)
    {
        if (review.Request is not { Object: { Spec: not null } pod, Uid: { Length: > 0 } uid } request)
            return Reply(review, new() { Uid = review.Request?.Uid ?? "", Status = new(400, "the AdmissionReview carries no pod to look at") });
        Admission admission;
        try
        {
            admission = AdmitPodDecider.Decide(
                new(pod.Shape(request.Namespace), pod.Spec.SchedulerName ?? "", pod.Spec.NodeName ?? "", Privileged(pod)), defaults, ResourceNames.Nvidia);
        }
        catch (FormatException e)
        {
            return Reply(review, Denied(uid, e.Message));
        }
        return Reply(review, admission switch
        {
            Admission.Denied d => Denied(uid, d.Because.Sentence),
            Admission.HandOver h => new() { Uid = uid, Allowed = true, PatchType = "JSONPatch", Patch = AdmissionPatch.Of(h, pod) },
            Admission.Untouched u => new() { Uid = uid, Allowed = true, Status = new(200, u.Message) },
            _ => throw new ArgumentOutOfRangeException(nameof(review), admission, "No answer for this admission."),
        });
    }

    private static AdmissionResponse Denied(string uid, string sentence) => new() { Uid = uid, Status = new(403, sentence, "Forbidden") };

    private static AdmissionReview Reply(AdmissionReview asked, AdmissionResponse response) =>
        new() { ApiVersion = string.IsNullOrEmpty(asked.ApiVersion) ? DefaultVersion : asked.ApiVersion, Kind = "AdmissionReview", Response = response };

    private static string? Privileged(PodJson pod) =>
        pod.AllContainers.Select(c => c.Container).FirstOrDefault(c => c.SecurityContext?.Privileged == true)?.Name;
}
