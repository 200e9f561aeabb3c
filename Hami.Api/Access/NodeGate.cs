using System.Net;
using System.Security.Cryptography;
using System.Text;
using Hami.Api.Observing;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Api.Access;

/// <summary>Finds out for which node an agent may speak.</summary>
internal interface INodeGate
{
    /// <summary>Refuses whoever may not tell of this node.</summary>
    /// <exception cref="AccessRefusedException">It is not its node's agent.</exception>
    ValueTask AdmitAsync(HttpContext http, string node);
}

/// <summary>Everybody tells of every node; for a lab.</summary>
internal sealed class OpenNodeGate : INodeGate
{
    public ValueTask AdmitAsync(HttpContext http, string node) => default;
}

/// <summary>
/// The API server says on which node the pod is that a token was made for (TokenReview), and whether its account may patch that node, as the
/// agent's may to register its cards: another pod of the node, a tenant's, has a token of the node too.
/// </summary>
internal sealed class KubernetesNodeGate : INodeGate, IDisposable
{
    /// <summary>How long a token is believed; of 5,000 nodes that is seventeen reviews a second.</summary>
    public static readonly TimeSpan GoodFor = TimeSpan.FromMinutes(10);

    private const string Extra = "authentication.kubernetes.io/";
    private const int MostAgents = 40_000; // each has two tokens while one is renewed
    private const int MostReviewsAtOnce = 16;

    private readonly IKubernetes _cluster;
    private readonly SeenPods _pods;
    private readonly Remembered<string> _nodes;
    private readonly SemaphoreSlim _reviews = new(MostReviewsAtOnce);

    public KubernetesNodeGate(IKubernetes cluster, SeenPods pods, TimeProvider time) => (_cluster, _pods, _nodes) = (cluster, pods, new(GoodFor, MostAgents, time));

    public async ValueTask AdmitAsync(HttpContext http, string node)
    {
        var token = BearerToken.Of(http.Request);
        var key = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        var own = await _nodes.GetAsync(key, () => ReviewAsync(token), http.RequestAborted);
        if (own != node)
            throw new AccessRefusedException(StatusCodes.Status403Forbidden, $"an agent tells of its own node alone: this token is of a pod on {own}, the report is of {node}");
    }

    public void Dispose() => _reviews.Dispose();

    private async Task<string> ReviewAsync(string token)
    {
        await _reviews.WaitAsync();
        try
        {
            var review = await _cluster.AuthenticationV1.CreateTokenReviewAsync(new V1TokenReview { Spec = new() { Token = token } });
            if (review.Status is not { Authenticated: true, User: { Username.Length: > 0 } user })
                throw new AccessRefusedException(StatusCodes.Status401Unauthorized, "the API server does not know this token: it is wrong, or its time is over");
            var node = NodeOf(user);
            if (!await MayPatchAsync(user, node))
                throw new AccessRefusedException(StatusCodes.Status403Forbidden, $"{user.Username} is no node agent: it takes the right to patch the node {node}");
            return node;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.Forbidden)
        {
            throw new AccessRefusedException(
                StatusCodes.Status503ServiceUnavailable, "the control plane may not ask the API server who you are: bind its account to the cluster role system:auth-delegator", e);
        }
        catch (Exception e) when (e is HttpOperationException or HttpRequestException or IOException)
        {
            throw new AccessRefusedException(StatusCodes.Status503ServiceUnavailable, "the API server could not be asked who you are: ask again in a while", e);
        }
        finally
        {
            _reviews.Release();
        }
    }

    private string NodeOf(V1UserInfo user)
    {
        if (One(user, "node-name") is { } node)
            return node;
        // Before Kubernetes 1.30 a review names the pod alone; where that is, our watch has seen.
        if (One(user, "pod-uid") is not { } pod)
            throw new AccessRefusedException(StatusCodes.Status403Forbidden, $"{user.Username} shows a token that is bound to no pod: mount the pod's own, as the kubelet makes it");
        return _pods.Find(pod)?.Node is { Length: > 0 } seen
            ? seen
            : throw new AccessRefusedException(StatusCodes.Status503ServiceUnavailable, "the pod of this token is not known yet: ask again in a while");
    }

    private async Task<bool> MayPatchAsync(V1UserInfo user, string node)
    {
        var review = new V1SubjectAccessReview
        {
            Spec = new()
            {
                User = user.Username, Uid = user.Uid, Groups = user.Groups, Extra = user.Extra,
                ResourceAttributes = new() { Verb = "patch", Resource = "nodes", Name = node },
            },
        };
        return (await _cluster.AuthorizationV1.CreateSubjectAccessReviewAsync(review)).Status?.Allowed == true;
    }

    private static string? One(V1UserInfo user, string key) =>
        user.Extra is { } extra && extra.TryGetValue(Extra + key, out var values) && values is [{ Length: > 0 } value, ..] ? value : null;
}
