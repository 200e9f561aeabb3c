using System.Net;
using System.Security.Cryptography;
using System.Text;
using Hami.Api.Plumbing;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Api.Access;

/// <summary>
/// The API server says who a token belongs to (TokenReview), and what of the cluster they see: the rows of a namespace for those
/// who may list its pods, nodes and cards for those who may list nodes (SubjectAccessReview).
/// </summary>
internal sealed class KubernetesGate : IGate, IDisposable
{
    /// <summary>How long a token and its rights are believed: the longest that a right taken away still counts.</summary>
    public static readonly TimeSpan GoodFor = TimeSpan.FromSeconds(60);

    private const int MostViewers = 10_000;
    private const int MostReviewsAtOnce = 16;

    private readonly IKubernetes _cluster;
    private readonly ILedgerReader _ledger;
    private readonly Remembered<Viewer> _viewers;
    private readonly Remembered<IReadOnlyList<string>> _namespaces;
    private readonly SemaphoreSlim _reviews = new(MostReviewsAtOnce);

    public KubernetesGate(IKubernetes cluster, ILedgerReader ledger, TimeProvider time)
    {
        (_cluster, _ledger) = (cluster, ledger);
        _viewers = new(GoodFor, MostViewers, time);
        _namespaces = new(GoodFor, 1, time);
    }

    public async ValueTask<Viewer> AdmitAsync(HttpContext http)
    {
        var token = BearerToken.Of(http.Request);
        // By its hash: a token is in no memory of ours longer than its review.
        var key = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        return await _viewers.GetAsync(key, () => ReviewAsync(token), http.RequestAborted);
    }

    public void Dispose() => _reviews.Dispose();

    private async Task<Viewer> ReviewAsync(string token)
    {
        try
        {
            var review = await LimitedAsync(() => _cluster.AuthenticationV1.CreateTokenReviewAsync(new V1TokenReview { Spec = new() { Token = token } }));
            if (review.Status is not { Authenticated: true, User.Username: { Length: > 0 } name })
                throw new AccessRefusedException(StatusCodes.Status401Unauthorized, "the API server does not know this token: it is wrong, or its time is over");
            return new(name, await ScopeOfAsync(review.Status.User));
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
    }

    private async Task<Scope> ScopeOfAsync(V1UserInfo user)
    {
        var (all, nodes) = (MayAsync(user, "pods", null), MayAsync(user, "nodes", null));
        if (await all)
            return new(AllNamespaces: true, await nodes, new HashSet<string>(StringComparer.Ordinal));
        var candidates = (await NamespacesAsync()).ToList();
        var may = await Task.WhenAll(candidates.Select(n => MayAsync(user, "pods", n)));
        return new(AllNamespaces: false, await nodes, candidates.Where((_, i) => may[i]).ToHashSet(StringComparer.Ordinal));
    }

    private async Task<bool> MayAsync(V1UserInfo user, string resource, string? @namespace)
    {
        var review = new V1SubjectAccessReview
        {
            Spec = new()
            {
                User = user.Username, Uid = user.Uid, Groups = user.Groups, Extra = user.Extra,
                ResourceAttributes = new() { Verb = "list", Resource = resource, NamespaceProperty = @namespace },
            },
        };
        return (await LimitedAsync(() => _cluster.AuthorizationV1.CreateSubjectAccessReviewAsync(review))).Status?.Allowed == true;
    }

    // Kubernetes cannot be asked for the namespaces somebody sees, only namespace by namespace.
    private async Task<IEnumerable<string>> NamespacesAsync()
    {
        var ledger = _ledger.Ledger;
        var ours = ledger.Used.Keys.Concat(ledger.Quotas.Keys).Concat(ledger.Waiting.Values.Select(w => w.Refusal.Namespace));
        return ours.Concat(await _namespaces.GetAsync("", ListNamespacesAsync, CancellationToken.None)).Distinct(StringComparer.Ordinal);
    }

    private async Task<IReadOnlyList<string>> ListNamespacesAsync()
    {
        try
        {
            return [.. (await _cluster.CoreV1.ListNamespaceAsync()).Items.Select(n => n.Name())];
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.Forbidden)
        {
            // HAMi's role does not have it; then those count in which something of ours is.
            return [];
        }
    }

    private async Task<T> LimitedAsync<T>(Func<Task<T>> ask)
    {
        await _reviews.WaitAsync();
        try
        {
            return await ask();
        }
        finally
        {
            _reviews.Release();
        }
    }
}
