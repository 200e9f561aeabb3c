using System.Text.Json;
using GraphQL;
using GraphQL.Transport;
using GraphQL.Types;

namespace Hami.Api.Plumbing.GraphQL;

/// <summary><c>POST /graphql</c> over HTTP; the registry holds no server package for this library, so these lines are ours.</summary>
internal static class GraphQLEndpoint
{
    public static void MapGraphQL(this IEndpointRouteBuilder routes) => routes.MapPost(
        "/graphql", async (HttpContext http, IDocumentExecuter executer, ISchema schema, IGraphQLTextSerializer serializer) =>
        {
            GraphQLRequest? post;
            try
            {
                post = await serializer.ReadAsync<GraphQLRequest>(http.Request.Body, http.RequestAborted);
            }
            catch (JsonException e)
            {
                return Refuse($"the request body is not JSON: {e.Message}");
            }
            if (string.IsNullOrWhiteSpace(post?.Query))
                return Refuse("""the request body needs a "query", for example {"query":"{ eventCount }"}""");

            var result = await executer.ExecuteAsync(options =>
            {
                options.Schema = schema;
                options.Query = post!.Query;
                options.OperationName = post!.OperationName;
                options.Variables = post!.Variables;
                options.RequestServices = http.RequestServices;
                options.CancellationToken = http.RequestAborted;
            });
            http.Response.StatusCode = result.Executed ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest;
            http.Response.ContentType = "application/json; charset=utf-8";
            await serializer.WriteAsync(http.Response.Body, result, http.RequestAborted);
            return Results.Empty;
        });

    private static IResult Refuse(string sentence) =>
        Results.Json(new { errors = new[] { new { message = sentence } } }, statusCode: StatusCodes.Status400BadRequest);
}
